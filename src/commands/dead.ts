import { loadConfig } from '../config/load.ts';
import type { LetterFilter } from '../dead/filter.ts';
import { KafkaConnection } from '../kafka/client.ts';
import { expectedName } from '../model/nearest.ts';
import { createLog } from '../telemetry/log.ts';
import { DONE, parseCommand, usageError } from './command.ts';
import { listLetters } from './dead-list.ts';
import { redriveLetters } from './dead-redrive.ts';
import { showLetter } from './dead-show.ts';
import { withKafkaAdmin } from './kafka-session.ts';
import { joinTimes, timeArgument } from './time-arguments.ts';

const HELP = `
penstock dead list|show|redrive [OPTIONS]

What could not be used, and is kept in the dead-letter topic with the reason.

  list                    counts by stage, reason and the topic that they came from, with the times of the first and
                          the last, and how many were redriven since
  show PARTITION:OFFSET   one of them: its headers, and its value decoded as far as it goes; --raw writes the bytes
                          of the value to standard output instead
  redrive                 takes them back to where they came from, each exactly once: what failed in a worker to the
                          ingest topic, what a node refused to the task topic. It may be killed and run again, with the
                          same filters or others. One that fails again is a dead letter again, and is left alone
                          by further redrives, unless --again is given

Which letters (list, redrive)
  --reason REASON, --stage STAGE   those with this reason, in this stage; may be repeated
  --from TIME, --to TIME           those written from then, and before then: 2026-11-22T10:00:00Z, or -6h

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
  raw: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  limit: { type: 'string' },
  again: { type: 'boolean' },
} as const;

const FILTERS = ['reason', 'stage', 'from', 'to'];
/** Options that each action takes. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  list: FILTERS,
  show: ['raw'],
  redrive: [...FILTERS, 'dry-run', 'limit', 'again'],
};

export async function run(argv: string[]): Promise<number> {
  const positionals = { min: 1, max: 2 };
  const command = parseCommand(joinTimes(argv), { name: 'dead', help: HELP, options: OPTIONS, positionals });
  if (command === undefined) return DONE;
  const { values, json } = command;
  const [action = '', position] = command.positionals;
  const allowed = ACTIONS[action];
  if (allowed === undefined) {
    throw usageError('dead', `unknown action ${action}; ${expectedName(action, Object.keys(ACTIONS))}`);
  }
  for (const option of Object.keys(values)) {
    if (!(option in OPTIONS) || allowed.includes(option)) continue;
    throw usageError(
      'dead',
      `--${option} is no option of ${action}; expected ${allowed.map((name) => `--${name}`).join(', ')}`,
    );
  }
  if ((position !== undefined) !== (action === 'show')) {
    throw usageError(
      'dead',
      action === 'show'
        ? 'an argument is missing; expected PARTITION:OFFSET'
        : `unexpected argument ${position}; expected none`,
    );
  }
  const nowMs = Date.now();
  const filter: LetterFilter = {
    fromMs: time('from', values.from, nowMs),
    toMs: time('to', values.to, nowMs),
    reasons: values.reason ?? [],
    stages: values.stage ?? [],
  };
  const limit = wholeNumber(values.limit);
  const at = position === undefined ? undefined : letterPosition(position);
  const config = loadConfig({ file: command.configFile, env: process.env });

  return await withKafkaAdmin('dead', config.kafka, async (admin) => {
    const connection = new KafkaConnection(config.kafka, createLog('silent', 'dead'));
    const { dead_topic: topic } = config.ingest;
    await admin.requireTopics(new Map([[topic, 1]]));
    const session = { config, connection, admin, topic, json };
    if (at !== undefined) return await showLetter(session, at, values.raw ?? false);
    if (action === 'list') return await listLetters(session, filter);
    return await redriveLetters(session, {
      filter,
      limit,
      again: values.again ?? false,
      dryRun: values['dry-run'] ?? false,
    });
  });
}

function time(option: string, text: string | undefined, nowMs: number): number | undefined {
  return text === undefined ? undefined : timeArgument('dead', option, text, nowMs);
}

function wholeNumber(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
  throw usageError('dead', `--limit ${text}: expected a whole number from 1`);
}

function letterPosition(text: string): { partition: number; offset: bigint } {
  const [, partition, offset] = /^(\d{1,6}):(\d{1,18})$/.exec(text) ?? [];
  if (partition !== undefined && offset !== undefined)
    return { partition: Number(partition), offset: BigInt(offset) };
  throw usageError('dead', `${text}: expected PARTITION:OFFSET, such as 0:1234`);
}
