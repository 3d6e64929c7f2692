import { ConfigError } from '../model/errors.ts';
import { type Labels, labelValue } from '../model/labels.ts';
import { jump, modulo } from './jump.ts';
import { groupLabelNames, SeriesKey } from './series-key.ts';
import { streamMetricsRouteHash } from './stream-metrics-route.ts';
import { xxh64Into } from './xxhash64.ts';

/**
 * How a group becomes a task: `jump` (consistent, the default) or `mod`, both of xxHash64; or
 * stream-metrics-route's numbers, by modulo as its releases do it, or by jump as its later versions do.
 */
export const TASK_HASHES = ['jump', 'mod', 'stream-metrics-route', 'stream-metrics-route-jump'] as const;
export type TaskHash = (typeof TASK_HASHES)[number];

export interface TaskOptions {
  /** Names of the group labels, in any order. */
  readonly labels: readonly string[];
  /** Number of tasks: partitions of the route's task topic. */
  readonly count: number;
  /** How many neighbouring tasks one group may use; 1 … count. */
  readonly spread: number;
  readonly hash: TaskHash;
}

/** Steps from labels to a task, for `penstock explain`. */
export interface TaskExplanation {
  /** The group: `{namespace="shop",service="cart"}`. */
  readonly groupKey: string;
  /** The group's hash as an unsigned decimal: 64 bits, or 32 for stream-metrics-route. */
  readonly hash: string;
  readonly task: number;
  /** Which of the group's tasks this series uses: 0 … spread-1. */
  readonly spreadIndex: number;
}

/** Hash 1: labels after relabeling ▸ task, 0 … count-1. */
export interface TaskFunction {
  (labels: Labels): number;
  explain(labels: Labels): TaskExplanation;
}

/**
 * Compiles hash 1 (docs/concepts/hashing.md).
 *
 * With no group labels all series are one group; stream-metrics-route's hashes then take all labels of
 * the series, as that gateway does for its task id.
 *
 * @throws ConfigError if count or spread is out of range or the hash is unknown
 */
export function compileTask(options: TaskOptions): TaskFunction {
  const { count, spread, hash } = options;
  check(options);
  const names = groupLabelNames(options.labels);
  const consistent = hash === 'jump' || hash === 'stream-metrics-route-jump';
  const ownHash = hash === 'jump' || hash === 'mod';

  const key = new SeriesKey();
  const group = new Uint32Array(2);
  const series = new Uint32Array(2);
  /** Values of the group labels for which `group` and `first` hold; none before the first series. */
  const hashed: string[] = [];
  /** The group's first task. */
  let first = 0;

  /**
   * Leaves the group's hash in `group`, high and low word, and its first task in `first`.
   *
   * Fast path: new series come target by target, so most have the same group as the one before, and its hash is kept
   * (the twin is a function of its own for each series, in the tests; docs/internals/measurements.md).
   */
  function hashGroup(labels: Labels): void {
    if (isHashed(labels)) return;
    if (ownHash) {
      key.writeGroup(names, labels);
      xxh64Into(key.bytes, 0, key.length, group);
    } else {
      group[0] = 0;
      group[1] = streamMetricsRouteHash(names.length === 0 ? labels : presentLabels(names, labels));
    }
    first = consistent ? jump(group[0]!, group[1]!, count) : modulo(group[0]!, group[1]!, count);
    for (let at = 0; at < names.length; at++) hashed[at] = labelValue(labels, names[at]!);
  }

  /** False without group labels: the hash is then of all labels, or costs nothing. */
  function isHashed(labels: Labels): boolean {
    for (let at = 0; at < names.length; at++) if (hashed[at] !== labelValue(labels, names[at]!)) return false;
    return names.length > 0;
  }

  function spreadIndex(labels: Labels): number {
    if (spread === 1) return 0;
    key.writeIdentity(labels);
    xxh64Into(key.bytes, 0, key.length, series);
    return modulo(series[0]!, series[1]!, spread);
  }

  function task(labels: Labels): number {
    hashGroup(labels);
    return (first + spreadIndex(labels)) % count;
  }

  function explain(labels: Labels): TaskExplanation {
    hashGroup(labels);
    const index = spreadIndex(labels);
    const shown = ownHash || names.length > 0 ? groupLabels(names, labels) : labels;
    return {
      groupKey: `{${shown.map((label) => `${label.name}=${JSON.stringify(label.value)}`).join(',')}}`,
      hash: String((BigInt(group[0]!) << 32n) | BigInt(group[1]!)),
      task: (first + index) % count,
      spreadIndex: index,
    };
  }

  return Object.assign(task, { explain });
}

function groupLabels(names: readonly string[], labels: Labels): Labels {
  return names.map((name) => ({ name, value: labelValue(labels, name) }));
}

/** The group labels that the series has: stream-metrics-route leaves absent ones out of its list. */
function presentLabels(names: readonly string[], labels: Labels): Labels {
  return groupLabels(names, labels).filter((label) => label.value !== '');
}

function check({ count, spread, hash }: TaskOptions): void {
  if (!Number.isSafeInteger(count) || count < 1 || count > 0x7fff_ffff) {
    throw new ConfigError(`task count is ${count}: give a whole number from 1`);
  }
  if (!Number.isSafeInteger(spread) || spread < 1 || spread > count) {
    throw new ConfigError(`task spread is ${spread}: give a whole number from 1 to the task count, ${count}`);
  }
  if (!TASK_HASHES.includes(hash)) {
    throw new ConfigError(`task hash is ${JSON.stringify(hash)}: give one of ${TASK_HASHES.join(', ')}`);
  }
}
