import { expectedName } from '../../core/model/nearest.ts';
import { epochMs } from '../../io/time/clock.ts';
import { DONE, parseCommand, usageError } from './command.ts';
import { withSession } from './kafka-session.ts';
import { joinTimes } from './option-values.ts';
import { askedReplay, REPLAY_OPTIONS, replayIdArgument, resumedId, runOptions } from './replay/arguments.ts';
import { resumeReplay, startReplay } from './replay/run.ts';
import { listReplays, stopReplay } from './replay/stored.ts';

const HELP = `
penstock replay --topic TOPIC --from TIME [--to TIME] TARGET [OPTIONS]
penstock replay --resume ID [OPTIONS]
penstock replay list
penstock replay stop ID

Takes a range of a topic again: through a route, into storage, or into a file. The range is fixed at the start, and
its end is reached although producers go on writing. Positions are kept in Kafka, so one that was stopped or killed
goes on where it was, from any machine. It reads in a group of its own: live workers and drains do not notice.

Which range
  --topic TOPIC            the topic to read (default: the ingest topic, if there is one only)
  --from TIME, --to TIME   2026-11-22T10:00:00Z, or -6h; --to is now unless given
  --by record-time         takes all records of that time, whole; samples in them may be older (default)
  --by sample-time         takes exactly the samples of that time: records at the edges are split
  --margin 5m              reads so much more on both sides, since records are not in the order of their times;
                           those of a task topic have the time at which a worker wrote them
  --offsets P:FIRST-LAST   offsets of a partition instead, both included; may be repeated, or a list with commas
  --match SELECTOR         only series, as received, that match; may be repeated, any of them lets a series in
  --sample 1/100           only one series in a hundred, by the hash of its labels as received; whole series

Where to (TARGET, one of)
  --to-route NAME          through match, relabeling and hash of this route, exactly once, into its task topic; or into
    --output-topic TOPIC   … this one, with the same tasks; it is created if it is not there
    --into-live            … its task topic although vmagents aggregate it: they count old samples into the
                           windows of today
  --to-storage URL         remote write with the samples' own times; without a path /api/v1/write is meant
  --to-file FILE           JSON lines as VictoriaMetrics imports them; - is standard output
    --route NAME           … relabeled by this route; else series go as they were received

How
  --dry-run                counts what would go where, and writes nothing
  --rate N                 at most N samples a second
  --yield-lag N            waits while workers and drains are more than N records behind
  --concurrency 4          requests to storage at once; a partition has one at a time
  --on-corrupt-batch stop|skip
                           at a record batch that cannot be read: ends (default), or leaves it out and says so
  --allow-gaps             takes what is left of a range that retention has cut
  --id NAME                names the replay; else a name is made up, and printed first
  --resume ID              goes on with a replay; of the options only those of this section may be given again
  --listen HOST:PORT       serves /metrics there (default: admin.listen, if nothing else listens there)

Others
  list                     replays that Kafka remembers: a week after their last step, unless the brokers are told
                           otherwise (offsets.retention.minutes)
  stop ID                  lets a replay finish its step and end, wherever it runs

What cannot be decoded is counted and reported; its dead letter was written when a worker met it. Exit code 0: the end
was reached. 1: it was not, since it was stopped, or retention had cut the range, or something failed; --resume goes
on. 2: wrong usage or configuration.
`;

const ACTIONS = ['list', 'stop'];

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(joinTimes(argv), {
    name: 'replay',
    help: HELP,
    options: REPLAY_OPTIONS,
    positionals: { min: 0, max: 2 },
  });
  if (command === undefined) return DONE;
  const { values, json } = command;
  const [action, id] = command.positionals;
  if (action === undefined) {
    const how = runOptions(values);
    const resumed = values.resume === undefined ? undefined : resumedId(values);
    const asked = resumed === undefined ? askedReplay(values, epochMs()) : undefined;
    if (json && values['to-file'] === '-')
      throw usageError(
        'replay',
        '--json and --to-file - would both write to standard output; expected one of them',
      );
    return await withSession('replay', command, (session) =>
      asked === undefined ? resumeReplay(session, resumed!, how) : startReplay(session, asked, how),
    );
  }
  if (!ACTIONS.includes(action))
    throw usageError('replay', `unknown action ${action}; ${expectedName(action, ACTIONS)}`);
  const option = Object.keys(values).find((name) => name in REPLAY_OPTIONS);
  if (option !== undefined) throw usageError('replay', `--${option} is no option of ${action}`);
  if ((id === undefined) !== (action === 'list'))
    throw usageError(
      'replay',
      id === undefined
        ? 'stop which? expected an id; penstock replay list shows them'
        : `unexpected argument ${id}`,
    );
  const stopped = id === undefined ? undefined : replayIdArgument(id);
  return await withSession('replay', command, (session) =>
    stopped === undefined ? listReplays(session) : stopReplay(session, stopped),
  );
}
