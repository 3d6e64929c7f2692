import { randomBytes } from 'node:crypto';
import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import { firstRecordTimes } from '../../../io/kafka/admin/first-records.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';
import { madeAgain } from '../../../io/kafka/range/range-fetcher.ts';
import { readReplay } from '../../../services/replay/journal.ts';
import {
  type Cut,
  planRanges,
  planRest,
  type RangeRequest,
} from '../../../services/replay/plan/range-plan.ts';
import { isDone, type StoredReplay } from '../../../services/replay/stored-replay.ts';
import { Tally } from '../../../services/replay/target/target.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import type { Config } from '../../config/load.ts';
import { DONE, FAILED, printJson, usageError } from '../command.ts';
import type { KafkaSession } from '../kafka-session.ts';
import type { StatusLine } from '../text/status-line.ts';
import type { AskedReplay, RunOptions } from './arguments.ts';
import { dryRunReplay } from './dry-run.ts';
import { performReplay } from './perform.ts';
import { prepareOutput, targetSpec } from './target.ts';
import { formatCuts, formatNumber, formatTime } from './text.ts';

/** Starts a replay: fixes the range, reports what retention has taken of it, and runs. @returns the exit code */
export async function startReplay(
  session: KafkaSession,
  asked: AskedReplay,
  how: RunOptions,
): Promise<number> {
  const { config, connection, admin, json, line } = session;
  const nowMs = session.nowMs();
  const topic = asked.topic ?? onlyIngestTopic(config);
  const target = targetSpec(config, topic, asked.target);
  await requireTopic(admin, topic);
  const id = asked.id ?? madeUpId(nowMs);
  if (asked.id !== undefined && (await readReplay(admin, id)) !== undefined)
    throw new FatalKafkaError(
      `there is a replay ${id} already; penstock replay --resume ${id} goes on with it, another --id begins a new one`,
    );

  // Read before the range, so that a topic recreated between the two is detected.
  const topicId = await admin.topicId(topic);
  const { ranges, cuts, marginCuts } = await planRanges(admin, topic, asked.range);
  const times =
    cuts.length > 0 && ranges.size > 0 ? await firstRecordTimes(connection, admin, topic, ranges) : NO_TIMES;
  if (marginCuts.length > 0) {
    const list = marginCuts.map(({ partition }) => partition).join(', ');
    line.say(`note: of the margin before the range retention has taken a part (partition ${list})`);
  }
  if (!mayBeCut(topic, cuts, times, how, line)) return FAILED;
  if (ranges.size === 0) return nothingThere(topic, asked.range, json);
  await prepareOutput(session, target, !asked.dryRun);
  const replay: StoredReplay = {
    id,
    spec: { topic, ...(topicId === undefined ? {} : { topicId }), target, ...asked.selection },
    phase: 'running',
    run: '',
    startedMs: nowMs,
    updatedMs: nowMs,
    counts: new Tally(),
    partitions: new Map([...ranges].map(([id, range]) => [id, { ...range, position: range.from }])),
    extra: {},
  };
  if (asked.dryRun) return await dryRunReplay(session, replay, how);
  return await performReplay(session, replay, how, false);
}

/** Resumes a replay that was stopped or killed. @returns the exit code */
export async function resumeReplay(session: KafkaSession, id: string, how: RunOptions): Promise<number> {
  const { admin, json, line } = session;
  const replay = await readReplay(admin, id);
  if (replay === undefined)
    throw new FatalKafkaError(`there is no replay ${id}; penstock replay list shows those that there are`);
  const { spec, partitions, counts } = replay;
  if (isDone(replay)) {
    if (json) printJson({ id, end: 'done', records: counts.records, samples: counts.samples });
    else
      process.stdout.write(
        `replay ${id} is done since ${formatTime(replay.updatedMs)}: ${formatNumber(counts.samples)} samples\n`,
      );
    return DONE;
  }
  await requireTopic(admin, spec.topic);
  const topicId = await admin.topicId(spec.topic);
  if (spec.topicId !== undefined && topicId !== undefined && spec.topicId !== topicId)
    throw madeAgain(spec.topic);
  const cuts = planRest(partitions, await admin.offsetBounds(spec.topic));
  if (!mayBeCut(spec.topic, cuts, NO_TIMES, how, line)) return FAILED;
  await prepareOutput(session, spec.target, true);
  return await performReplay(session, replay, how, true);
}

const NO_TIMES: ReadonlyMap<number, number> = new Map();

function onlyIngestTopic(config: Config): string {
  const [first, ...others] = ingestTopics(config.worker);
  if (others.length === 0) return first.topic;
  throw usageError(
    'replay',
    `which topic? ${config.file} has several ingest topics; expected --topic ${first.topic}, or another one`,
  );
}

async function requireTopic(admin: KafkaAdmin, topic: string): Promise<void> {
  if ((await admin.partitionCounts([topic])).has(topic)) return;
  throw new FatalKafkaError(
    `topic ${topic} does not exist; expected a topic of the cluster that kafka.brokers names`,
  );
}

/** Reports what retention has taken. @returns whether the replay may run without it */
function mayBeCut(
  topic: string,
  cuts: readonly Cut[],
  times: ReadonlyMap<number, number>,
  { allowGaps }: RunOptions,
  line: StatusLine,
): boolean {
  if (cuts.length === 0) return true;
  line.say(`topic ${topic}: of this range retention has taken, or may have taken, a part:`);
  for (const cut of formatCuts(cuts, times)) line.say(cut);
  line.say(
    allowGaps
      ? '--allow-gaps is given: what is left is replayed'
      : 'Nothing was replayed. Give --allow-gaps to replay what is left, or a range that is there.',
  );
  return allowGaps;
}

function nothingThere(topic: string, range: RangeRequest, json: boolean): number {
  const when =
    range.kind === 'times'
      ? ` from ${formatTime(range.fromMs)} to ${formatTime(range.toMs)}`
      : ' at these offsets';
  if (json) printJson({ end: 'done', topic, records: 0, samples: 0 });
  else process.stdout.write(`nothing to replay: ${topic} has no records${when}\n`);
  return DONE;
}

/** `20261123-101502-3fa2`: sorts by time. */
function madeUpId(nowMs: number): string {
  const digits = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${digits}-${randomBytes(2).toString('hex')}`;
}
