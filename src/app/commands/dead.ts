import { expectedName } from '../../core/model/nearest.ts';
import { epochMs } from '../../io/time/clock.ts';
import type { LetterFilter } from '../../services/dead/filter.ts';
import type { OnCorrupt } from '../../services/dead/scan.ts';
import { DONE, parseCommand, usageError } from './command.ts';
import { listLetters } from './dead/list.ts';
import { redriveLetters } from './dead/redrive.ts';
import { showLetter } from './dead/show.ts';
import { skipBatch } from './dead/skip.ts';
import { withSession } from './kafka-session.ts';
import { corruptArgument, joinTimes, numberArgument, timeArgument } from './option-values.ts';

const HELP = `
penstock dead list|show|redrive|skip [OPTIONS]

What could not be used, and is kept in the dead-letter topic with the reason.

  list                    counts by stage, reason and the topic that they came from, with the times of the first and
                          the last, and how many were redriven since
  show PARTITION:OFFSET   one of them: its headers, and its value decoded as far as it goes; --raw writes the bytes
                          of the value to standard output instead
  redrive                 takes them back to where they came from, each exactly once: what failed in a worker to the
                          ingest topic, what a node refused to the task topic. It may be killed and run again, with the
                          same filters or others. One that fails again is a dead letter again, and is left alone
                          by further redrives, unless --again is given

  skip TOPIC PARTITION OFFSET
                          passes over a record batch that cannot be read and holds up its partition, while workers and
                          drains run: whoever holds the partition keeps the batch as a dead letter, and goes on behind
                          it. OFFSET is that of the log line; any other is refused, with the one that is right

Which letters (list, redrive)
  --reason REASON, --stage STAGE   those with this reason, in this stage; may be repeated
  --from TIME, --to TIME           those written from then, and before then: 2026-11-22T10:00:00Z, or -6h

  --on-corrupt-batch stop|skip     at a record batch of the dead-letter topic that cannot be read: end (default), or
                                   leave out the letters in it. A redrive may then take letters twice: that they were
                                   redriven may stand there

Of redrive
  --dry-run   tells how many it would take, and writes nothing
  --limit N   takes the first N
  --again     takes those that were redriven before, and have failed again, too

Exit code 0: done, also where there was nothing to do. 1: Kafka failed, or there is no such letter.
`;

const OPTIONS = {
  reason: { type: 'string', multiple: true },
  stage: { type: 'string', multiple: true },
  from: { type: 'string' },
  to: { type: 'string' },
  'on-corrupt-batch': { type: 'string' },
  raw: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  limit: { type: 'string' },
  again: { type: 'boolean' },
} as const;

const FILTERS = ['reason', 'stage', 'from', 'to', 'on-corrupt-batch'];
/** Options that each action takes. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  list: FILTERS,
  show: ['raw'],
  redrive: [...FILTERS, 'dry-run', 'limit', 'again'],
  skip: [],
};

/** Arguments of the actions that take some. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  show: ['PARTITION:OFFSET'],
  skip: ['TOPIC', 'PARTITION', 'OFFSET'],
};

export async function run(argv: string[]): Promise<number> {
  const positionals = { min: 1, max: 4 };
  const command = parseCommand(joinTimes(argv), { name: 'dead', help: HELP, options: OPTIONS, positionals });
  if (command === undefined) return DONE;
  const { values } = command;
  const [action = '', ...args] = command.positionals;
  const [position] = args;
  const allowed = ACTIONS[action];
  if (allowed === undefined) {
    throw usageError('dead', `unknown action ${action}; ${expectedName(action, Object.keys(ACTIONS))}`);
  }
  for (const option of Object.keys(values)) {
    if (!(option in OPTIONS) || allowed.includes(option)) continue;
    throw usageError(
      'dead',
      `--${option} is no option of ${action}; expected ${allowed.map((name) => `--${name}`).join(', ') || 'none'}`,
    );
  }
  const wanted = ARGUMENTS[action] ?? [];
  if (args.length < wanted.length)
    throw usageError('dead', `an argument is missing; expected ${wanted.join(' ')}`);
  if (args.length > wanted.length)
    throw usageError(
      'dead',
      `unexpected argument ${args[wanted.length]}; expected ${wanted.join(' ') || 'none'}`,
    );
  const nowMs = epochMs();
  const filter: LetterFilter = {
    fromMs: time('from', values.from, nowMs),
    toMs: time('to', values.to, nowMs),
    reasons: values.reason ?? [],
    stages: values.stage ?? [],
  };
  const limit = numberArgument('dead', 'limit', values.limit, 1) ?? Number.POSITIVE_INFINITY;
  const at = action === 'show' ? letterPosition(position!) : undefined;
  const skipped = action === 'skip' ? batchPosition(args) : undefined;
  const onCorrupt = onCorruptBatch(corruptArgument('dead', values['on-corrupt-batch']));
  return await withSession('dead', command, async (kafka) => {
    const { dead_topic: topic } = kafka.config.worker;
    await kafka.admin.requireTopics(new Map([[topic, 1]]));
    const session = { ...kafka, topic };
    if (at !== undefined) return await showLetter(session, at, values.raw ?? false);
    if (skipped !== undefined) return await skipBatch(session, skipped);
    if (action === 'list') return await listLetters(session, filter, onCorrupt);
    return await redriveLetters(session, {
      filter,
      limit,
      again: values.again ?? false,
      dryRun: values['dry-run'] ?? false,
      onCorrupt,
    });
  });
}

function time(option: string, text: string | undefined, nowMs: number): number | undefined {
  return text === undefined ? undefined : timeArgument('dead', option, text, nowMs);
}

/** Reports each unreadable batch that is skipped; undefined (stop): the first one is an error. */
function onCorruptBatch(policy: 'stop' | 'skip'): OnCorrupt {
  if (policy === 'stop') return undefined;
  return ({ partition, from, to, corrupt }) => {
    const offsets = `${partition}:${from}-${to - 1n}`;
    process.stderr.write(`penstock dead: left out, since it cannot be read: ${offsets}: ${corrupt}\n`);
  };
}

function batchPosition([topic = '', partition = '', offset = '']: readonly string[]) {
  if (!/^\d{1,6}$/.test(partition))
    throw usageError('dead', `${partition}: expected the number of a partition`);
  if (!/^\d{1,18}$/.test(offset)) throw usageError('dead', `${offset}: expected an offset`);
  return { topic, partition: Number(partition), offset: BigInt(offset) };
}

function letterPosition(text: string): { partition: number; offset: bigint } {
  const [, partition, offset] = /^(\d{1,6}):(\d{1,18})$/.exec(text) ?? [];
  if (partition !== undefined && offset !== undefined)
    return { partition: Number(partition), offset: BigInt(offset) };
  throw usageError('dead', `${text}: expected PARTITION:OFFSET, such as 0:1234`);
}
