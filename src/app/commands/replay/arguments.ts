import { resolve } from 'node:path';
import { expectedName } from '../../../core/model/nearest.ts';
import { address, remoteWriteUrl, urlFault } from '../../../core/options/address.ts';
import { duration, topicName } from '../../../core/options/types.ts';
import { compileSelector, SelectorError } from '../../../core/relabel/selector/selector.ts';
import type { RangeRequest } from '../../../services/replay/plan/range-plan.ts';
import { usageError } from '../command.ts';
import { timeArgument } from '../time-arguments.ts';

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
export type ReplayOptionValues = {
  readonly [K in keyof typeof REPLAY_OPTIONS]?: (typeof REPLAY_OPTIONS)[K] extends { multiple: true }
    ? readonly string[]
    : (typeof REPLAY_OPTIONS)[K]['type'] extends 'boolean'
      ? boolean
      : string;
};

/** The requested target. */
export type AskedTarget =
  | {
      readonly kind: 'route';
      readonly route: string;
      readonly outputTopic: string | undefined;
      readonly intoLive: boolean;
    }
  | { readonly kind: 'storage'; readonly url: string; readonly route: string | undefined }
  | { readonly kind: 'file'; readonly file: string; readonly route: string | undefined };

/** A requested new replay. */
export interface AskedReplay {
  /** Undefined: generated. */
  readonly id: string | undefined;
  /** Undefined: the ingest topic. */
  readonly topic: string | undefined;
  readonly range: RangeRequest;
  /** By the time of samples, not of records. */
  readonly bySampleTime: boolean;
  readonly target: AskedTarget;
  readonly match: readonly string[];
  readonly sample: number | undefined;
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
    rate: wholeNumber('rate', values.rate, 1),
    concurrency: wholeNumber('concurrency', values.concurrency, 1) ?? DEFAULT_CONCURRENCY,
    yieldLag: wholeNumber('yield-lag', values['yield-lag'], 0),
    allowGaps: values['allow-gaps'] ?? false,
    onCorruptBatch: corruptArgument(values['on-corrupt-batch']),
    listen: listenArgument(values.listen),
  };
}

function corruptArgument(policy = 'stop'): 'stop' | 'skip' {
  if (policy === 'stop' || policy === 'skip') return policy;
  throw usageError('replay', `--on-corrupt-batch ${policy}: expected stop or skip`);
}

/** The id of the replay to resume. @throws ConfigError for options that were fixed when the replay began */
export function resumedId(values: ReplayOptionValues): string {
  const allowed = ['resume', ...RUN_OPTIONS] as readonly string[];
  for (const option of given(values)) {
    if (allowed.includes(option)) continue;
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
  return {
    id: values.id === undefined ? undefined : replayIdArgument(values.id),
    topic: topicArgument('topic', values.topic),
    range: rangeOf(values, nowMs),
    bySampleTime: bySampleTime(values),
    target: targetOf(values),
    match: (values.match ?? []).map(selectorArgument),
    sample: sampleOf(values.sample),
    dryRun: values['dry-run'] ?? false,
  };
}

export function replayIdArgument(text: string): string {
  if (ID.test(text) && !text.endsWith('.stop')) return text;
  throw usageError(
    'replay',
    `${text}: expected an id of up to 100 of the characters a-z A-Z 0-9 . _ - that does not end with .stop`,
  );
}

function given(values: ReplayOptionValues): string[] {
  return Object.entries(values)
    .filter(([name, value]) => name in REPLAY_OPTIONS && value !== undefined)
    .map(([name]) => name);
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
  const asked = values.margin ?? DEFAULT_MARGIN;
  const margin = duration({ min: 0 }).safeParse(/^\d+$/.test(asked) ? Number(asked) : asked);
  if (!margin.success) throw usageError('replay', `--margin: ${margin.error.issues[0]!.message}`);
  return { kind: 'times', fromMs, toMs, marginMs: margin.data };
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

function targetOf(values: ReplayOptionValues): AskedTarget {
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
    const outputTopic = topicArgument('output-topic', values['output-topic']);
    return { kind: 'route', route, outputTopic, intoLive };
  }
  misplaced(['output-topic', 'into-live'], 'nothing is written to Kafka');
  if (kind === 'to-storage')
    return { kind: 'storage', url: urlArgument(values['to-storage']!), route: values.route };
  misplaced(['concurrency'], 'there is one file');
  const file = values['to-file']!;
  return { kind: 'file', file: file === '-' ? file : resolve(file), route: values.route };
}

function urlArgument(text: string): string {
  const fault = urlFault(text, 'replay.storage in the configuration');
  if (fault !== undefined) throw usageError('replay', `--to-storage: ${fault}`);
  return remoteWriteUrl(text);
}

/** A topic name. @throws ConfigError if it is not a legal one */
function topicArgument(option: string, text: string | undefined): string | undefined {
  const checked = topicName().optional().safeParse(text);
  if (checked.success) return checked.data;
  throw usageError('replay', `--${option}: ${checked.error.issues[0]!.message}`);
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

function sampleOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, of] = /^1\/(\d{1,9})$/.exec(text) ?? [];
  if (of !== undefined && Number(of) > 0) return Number(of);
  throw usageError('replay', `--sample ${text}: expected 1/N, such as 1/100 for one series in a hundred`);
}

function listenArgument(text: string | undefined): string | undefined {
  const checked = address({ anyHost: true }).optional().safeParse(text);
  if (checked.success) return checked.data;
  throw usageError('replay', `--listen: ${checked.error.issues[0]!.message}`);
}

function wholeNumber(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  throw usageError('replay', `--${option} ${text}: expected a whole number from ${least}`);
}
