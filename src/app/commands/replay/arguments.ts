import { resolve } from 'node:path';
import type * as z from 'zod';
import { expectedName } from '../../../core/model/nearest.ts';
import { address, remoteWriteUrl, urlFault } from '../../../core/options/address.ts';
import { duration, topicName } from '../../../core/options/types.ts';
import { compileSelector, SelectorError } from '../../../core/relabel/selector/selector.ts';
import type { RangeRequest } from '../../../services/replay/plan/range-plan.ts';
import type { ReplaySpec, ReplayTargetSpec } from '../../../services/replay/stored-replay.ts';
import { type parseCommand, usageError } from '../command.ts';
import { corruptArgument, numberArgument, timeArgument } from '../option-values.ts';

export const REPLAY_OPTIONS = {
  topic: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  offsets: { type: 'string', multiple: true },
  by: { type: 'string' },
  margin: { type: 'string' },
  'to-route': { type: 'string' },
  'output-topic': { type: 'string' },
  'into-live': { type: 'boolean' },
  'to-storage': { type: 'string' },
  'to-file': { type: 'string' },
  route: { type: 'string' },
  match: { type: 'string', multiple: true },
  sample: { type: 'string' },
  rate: { type: 'string' },
  concurrency: { type: 'string' },
  'yield-lag': { type: 'string' },
  'allow-gaps': { type: 'boolean' },
  'on-corrupt-batch': { type: 'string' },
  'dry-run': { type: 'boolean' },
  id: { type: 'string' },
  resume: { type: 'string' },
  listen: { type: 'string' },
} as const;

/** Option values as parsed from the command line, not yet validated. */
export type ReplayOptionValues = Partial<
  NonNullable<ReturnType<typeof parseCommand<typeof REPLAY_OPTIONS>>>['values']
>;

/** A requested new replay. */
export interface AskedReplay {
  /** Undefined: generated. */
  readonly id: string | undefined;
  /** Undefined: the ingest topic. */
  readonly topic: string | undefined;
  readonly range: RangeRequest;
  /** The part of the range. */
  readonly selection: Pick<ReplaySpec, 'match' | 'sample' | 'fromMs' | 'toMs'>;
  readonly target:
    | Exclude<ReplayTargetSpec, { kind: 'route' }>
    | {
        readonly kind: 'route';
        readonly route: string;
        /** Undefined: the route's own. */
        readonly outputTopic: string | undefined;
        readonly intoLive: boolean;
      };
  readonly dryRun: boolean;
}

/** Options of one run of a replay; each resume may change them. */
export interface RunOptions {
  /** Samples a second. */
  readonly rate: number | undefined;
  readonly concurrency: number;
  readonly yieldLag: number | undefined;
  readonly allowGaps: boolean;
  /** At an unreadable record batch: end, or continue after it. */
  readonly onCorruptBatch: 'stop' | 'skip';
  /** Address of the admin server; undefined: that of the configuration. */
  readonly listen: string | undefined;
}

/** Options of a run, not of the replay itself: --resume accepts them again. */
const RUN_OPTIONS = ['rate', 'concurrency', 'yield-lag', 'allow-gaps', 'on-corrupt-batch', 'listen'] as const;
const DEFAULT_MARGIN = '5m';
const DEFAULT_CONCURRENCY = 4;
const ID = /^[A-Za-z0-9._-]{1,100}$/;

/** @throws ConfigError that says which option is wrong, and what is expected */
export function runOptions(values: ReplayOptionValues): RunOptions {
  return {
    rate: numberArgument('replay', 'rate', values.rate, 1),
    concurrency: numberArgument('replay', 'concurrency', values.concurrency, 1) ?? DEFAULT_CONCURRENCY,
    yieldLag: numberArgument('replay', 'yield-lag', values['yield-lag'], 0),
    allowGaps: values['allow-gaps'] ?? false,
    onCorruptBatch: corruptArgument('replay', values['on-corrupt-batch']),
    listen: checked('listen', address({ anyHost: true }).optional(), values.listen),
  };
}

/** The id of the replay to resume. @throws ConfigError for options that were fixed when the replay began */
export function resumedId(values: ReplayOptionValues): string {
  const allowed = ['resume', ...RUN_OPTIONS] as readonly string[];
  for (const option of Object.keys(values)) {
    if (allowed.includes(option) || !(option in REPLAY_OPTIONS)) continue;
    throw usageError(
      'replay',
      `--${option} cannot be given with --resume: the replay goes on as it was begun; ` +
        `expected ${RUN_OPTIONS.map((name) => `--${name}`).join(', ')}, or a new replay`,
    );
  }
  return replayIdArgument(values.resume!);
}

/** @throws ConfigError as `runOptions` */
export function askedReplay(values: ReplayOptionValues, nowMs: number): AskedReplay {
  const range = rangeOf(values, nowMs);
  return {
    id: values.id === undefined ? undefined : replayIdArgument(values.id),
    topic: checked('topic', topicName().optional(), values.topic),
    range,
    selection: selectionOf(values, range),
    target: targetOf(values),
    dryRun: values['dry-run'] ?? false,
  };
}

function selectionOf(values: ReplayOptionValues, range: RangeRequest): AskedReplay['selection'] {
  const byTime = bySampleTime(values) && range.kind === 'times';
  const match = (values.match ?? []).map(selectorArgument);
  const sample = sampleOf(values.sample);
  return {
    ...(match.length > 0 ? { match } : {}),
    ...(sample > 1 ? { sample } : {}),
    ...(byTime ? { fromMs: range.fromMs, toMs: range.toMs } : {}),
  };
}

export function replayIdArgument(text: string): string {
  if (ID.test(text) && !text.endsWith('.stop')) return text;
  throw usageError(
    'replay',
    `${text}: expected an id of up to 100 of the characters a-z A-Z 0-9 . _ - that does not end with .stop`,
  );
}

function rangeOf(values: ReplayOptionValues, nowMs: number): RangeRequest {
  const { from, to, offsets } = values;
  if (offsets !== undefined) {
    const other = (['from', 'to', 'by', 'margin'] as const).find((name) => values[name] !== undefined);
    if (other !== undefined)
      throw usageError('replay', `--${other} and --offsets are both given; expected one kind of range`);
    return {
      kind: 'offsets',
      ranges: offsets
        .flatMap((text) => text.split(','))
        .map(offsetRange)
        .sort(byPartition),
    };
  }
  if (from === undefined)
    throw usageError(
      'replay',
      'which range? expected --from TIME [--to TIME], or --offsets PARTITION:FIRST-LAST',
    );
  const fromMs = timeArgument('replay', 'from', from, nowMs);
  const toMs = to === undefined ? nowMs : timeArgument('replay', 'to', to, nowMs);
  if (fromMs >= toMs) {
    const text = (ms: number) => new Date(ms).toISOString();
    throw usageError(
      'replay',
      `the range is empty: --from is ${text(fromMs)} and --to ${to === undefined ? 'now, ' : ''}${text(toMs)}; ` +
        'expected --from before --to',
    );
  }
  const { margin = DEFAULT_MARGIN } = values;
  const marginMs = checked('margin', duration({ min: 0 }), /^\d+$/.test(margin) ? Number(margin) : margin);
  return { kind: 'times', fromMs, toMs, marginMs };
}

function offsetRange(text: string): { partition: number; first: bigint; last: bigint } {
  const [, partition, first, last] = /^(\d{1,6}):(\d{1,18})-(\d{1,18})$/.exec(text.trim()) ?? [];
  if (partition === undefined || first === undefined || last === undefined)
    throw usageError('replay', `--offsets ${text}: expected PARTITION:FIRST-LAST, such as 0:1000-1999`);
  if (BigInt(first) > BigInt(last))
    throw usageError('replay', `--offsets ${text}: the first offset is behind the last; expected FIRST-LAST`);
  return { partition: Number(partition), first: BigInt(first), last: BigInt(last) };
}

function byPartition(a: { partition: number }, b: { partition: number }): number {
  if (a.partition !== b.partition) return a.partition - b.partition;
  throw usageError(
    'replay',
    `--offsets names partition ${a.partition} twice; expected one range a partition`,
  );
}

const TIME_KINDS = ['record-time', 'sample-time'];

function bySampleTime({ by = 'record-time' }: ReplayOptionValues): boolean {
  if (TIME_KINDS.includes(by)) return by === 'sample-time';
  throw usageError('replay', `--by ${by}: ${expectedName(by, TIME_KINDS)}`);
}

const TARGETS = ['to-route', 'to-storage', 'to-file'] as const;

function targetOf(values: ReplayOptionValues): AskedReplay['target'] {
  const [kind, ...others] = TARGETS.filter((name) => values[name] !== undefined);
  if (kind === undefined || others.length > 0) {
    const said = kind === undefined ? 'where to?' : `--${kind} and --${others[0]} are both given;`;
    throw usageError('replay', `${said} expected one of --to-route NAME, --to-storage URL, --to-file FILE`);
  }
  const misplaced = (names: readonly (keyof ReplayOptionValues)[], why: string) => {
    const name = names.find((each) => values[each] !== undefined);
    if (name !== undefined) throw usageError('replay', `--${name} does not go with --${kind}: ${why}`);
  };
  if (kind === 'to-route') {
    misplaced(['route'], 'the route is named there already');
    misplaced(['concurrency'], 'steps go into Kafka one after the other');
    const { 'to-route': route = '', 'into-live': intoLive = false } = values;
    const outputTopic = checked('output-topic', topicName().optional(), values['output-topic']);
    return { kind: 'route', route, outputTopic, intoLive };
  }
  misplaced(['output-topic', 'into-live'], 'nothing is written to Kafka');
  const route = values.route === undefined ? {} : { route: values.route };
  if (kind === 'to-storage') return { kind: 'storage', url: urlArgument(values['to-storage']!), ...route };
  misplaced(['concurrency'], 'there is one file');
  const file = values['to-file']!;
  return { kind: 'file', file: file === '-' ? file : resolve(file), ...route };
}

function urlArgument(text: string): string {
  const fault = urlFault(text, 'replay.storage in the configuration');
  if (fault !== undefined) throw usageError('replay', `--to-storage: ${fault}`);
  return remoteWriteUrl(text);
}

function selectorArgument(text: string): string {
  try {
    compileSelector(text);
    return text;
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw usageError('replay', `--match: ${error.message}`);
  }
}

function sampleOf(text = '1/1'): number {
  const [, of] = /^1\/(\d{1,9})$/.exec(text) ?? [];
  if (of !== undefined && Number(of) > 0) return Number(of);
  throw usageError('replay', `--sample ${text}: expected 1/N, such as 1/100 for one series in a hundred`);
}

/** @throws ConfigError with the option and the message of the schema */
function checked<T>(option: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw usageError('replay', `--${option}: ${result.error.issues[0]!.message}`);
}
