import type { CommittedOffset } from '../../io/kafka/admin/admin.ts';
import { FatalKafkaError } from '../../io/kafka/errors.ts';
import type { OffsetRange } from '../../io/kafka/range/range-reader.ts';
import type { ReplayCounts } from './target/target.ts';

export type ReplayTargetSpec =
  | {
      readonly kind: 'route';
      readonly route: string;
      /** The topic that is written to. */
      readonly topic: string;
      /** `topic` is the route's own task topic. */
      readonly live: boolean;
    }
  | {
      readonly kind: 'storage';
      /** Without a user name or password. */
      readonly url: string;
      /** Absent: series go as they were received. */
      readonly route?: string;
    }
  | {
      readonly kind: 'file';
      /** An absolute path; `-` is standard output. */
      readonly file: string;
      readonly route?: string;
    };

/** Source and target of a replay. Stored with its positions, so that any machine can resume it. */
export interface ReplaySpec {
  readonly topic: string;
  /** Kafka's id of the topic when the range was fixed; absent: brokers did not tell it. */
  readonly topicId?: string;
  readonly target: ReplayTargetSpec;
  /** Selectors on series as received; a series is taken if any of them matches. Absent: every series. */
  readonly match?: readonly string[];
  /** Takes one series in this many, by the hash of its labels as received. Absent: every series. */
  readonly sample?: number;
  /** With `--by sample-time`: only samples with fromMs ≤ time < toMs. Milliseconds since the epoch. */
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** `stopped`: its process ended, asked to or by an error. After a kill it stays `running`, without heartbeats. */
export type ReplayPhase = 'running' | 'stopped';

/** One partition of a replay. */
export interface ReplayRange extends OffsetRange {
  /** The next offset to replay: `from` at first, `to` at the end. */
  readonly position: bigint;
}

/** A replay as it is stored in Kafka. */
export interface StoredReplay {
  readonly id: string;
  readonly spec: ReplaySpec;
  readonly phase: ReplayPhase;
  /** Id of the process that runs it, a new one at each start and resumption. */
  readonly run: string;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly updatedMs: number;
  /** What was done so far, over all its processes. */
  readonly counts: ReplayCounts;
  readonly partitions: ReadonlyMap<number, ReplayRange>;
  /** What its target keeps with the positions, such as the length of a file. */
  readonly extra: Readonly<Record<string, number>>;
}

export const GROUP_PREFIX = 'penstock.replay.';
const STOP_SUFFIX = '.stop';

/** Group without members whose offsets are a replay's positions; the name is its transactional id too. */
export function replayGroup(id: string): string {
  return `${GROUP_PREFIX}${id}`;
}

/** Group of the requests to stop a replay. */
export function stopGroup(id: string): string {
  return `${replayGroup(id)}${STOP_SUFFIX}`;
}

/** The id of a replay's group; undefined for any other group. */
export function replayId(groupId: string): string | undefined {
  if (!groupId.startsWith(GROUP_PREFIX) || groupId.endsWith(STOP_SUFFIX)) return undefined;
  return groupId.slice(GROUP_PREFIX.length);
}

export function isDone({ partitions }: Pick<StoredReplay, 'partitions'>): boolean {
  return [...partitions.values()].every(({ position, to }) => position >= to);
}

/** Share of all offsets of the ranges that is done, 0 to 1. */
export function shareOf({ partitions }: Pick<StoredReplay, 'partitions'>): number {
  let done = 0;
  let all = 0;
  for (const { from, to, position } of partitions.values()) {
    done += Number(position - from);
    all += Number(to - from);
  }
  return all === 0 ? 1 : done / all;
}

/** Version of the stored form; raised when earlier versions of Penstock cannot read a new form. */
const VERSION = 1;
/** Kinds of refusals that are kept by name; the others are counted together. */
const KEPT_REASONS = 20;

/** Metadata of the offset of every partition. */
interface PartitionEntry {
  readonly from: string;
  readonly to: string;
}

/** Metadata of the offset of the lowest partition: it has the replay itself, too. */
interface HeadEntry extends PartitionEntry, Pick<StoredReplay, 'spec' | 'phase' | 'run' | 'extra'> {
  /** Number of partitions, to notice lost ones: brokers expire offsets one by one. */
  readonly partitions?: number;
  readonly version: number;
  readonly started: number;
  readonly updated: number;
  readonly records: number;
  readonly samples: number;
  readonly left_out: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** The lowest partition of a replay: it carries what belongs to no partition. */
export function headOf(partitions: ReadonlyMap<number, unknown>): number {
  return Math.min(...partitions.keys());
}

/** Offset and metadata to commit for one partition. */
export function encodeEntry(replay: StoredReplay, partition: number): CommittedOffset {
  const { from, to, position } = replay.partitions.get(partition)!;
  const range: PartitionEntry = { from: String(from), to: String(to) };
  if (partition !== headOf(replay.partitions)) return { offset: position, metadata: JSON.stringify(range) };
  const { spec, phase, run, startedMs, updatedMs, counts, extra } = replay;
  const head: HeadEntry = {
    ...range,
    partitions: replay.partitions.size,
    version: VERSION,
    spec,
    phase,
    run,
    started: startedMs,
    updated: updatedMs,
    records: counts.records,
    samples: counts.samples,
    left_out: counts.leftOut,
    refused: mostFrequent(counts.refused),
    extra,
  };
  return { offset: position, metadata: JSON.stringify(head) };
}

function mostFrequent(refused: ReadonlyMap<string, number>): Record<string, number> {
  const reasons = [...refused].sort(([, a], [, b]) => b - a);
  const others = reasons.slice(KEPT_REASONS).reduce((sum, [, count]) => sum + count, 0);
  const kept = Object.fromEntries(reasons.slice(0, KEPT_REASONS));
  return others === 0 ? kept : { ...kept, other: (kept['other'] ?? 0) + others };
}

/**
 * Reads what `encodeEntry` has written.
 *
 * @returns undefined if there is nothing, or nothing of a replay
 * @throws FatalKafkaError if another version of Penstock has written it, or a part of it has expired
 */
export function decodeReplay(
  id: string,
  committed: ReadonlyMap<number, CommittedOffset>,
): StoredReplay | undefined {
  if (committed.size === 0) return undefined;
  const entries = new Map([...committed].map(([partition, { metadata }]) => [partition, parse(metadata)]));
  const head = entries.get(headOf(committed)) as Partial<HeadEntry> | undefined;
  if (head === undefined) return undefined;
  if (head.spec === undefined) throw new FatalKafkaError(forgotten(id, committed));
  if (head.version !== VERSION)
    throw new FatalKafkaError(
      `replay ${id} was written by another version of Penstock; go on with it there, or begin a new one`,
    );
  if ((head.partitions ?? 0) > committed.size) throw new FatalKafkaError(forgotten(id, committed));
  const { spec, phase, run, started, updated, records, samples, left_out, refused, extra } =
    head as HeadEntry;
  const partitions = [...committed].flatMap(([partition, { offset }]): [number, ReplayRange][] => {
    const entry = entries.get(partition);
    if (entry === undefined) return [];
    return [[partition, { from: BigInt(entry.from), to: BigInt(entry.to), position: offset }]];
  });
  return {
    id,
    spec,
    phase,
    run,
    startedMs: started,
    updatedMs: updated,
    counts: { records, samples, leftOut: left_out, refused: new Map(Object.entries(refused)) },
    partitions: new Map(partitions.sort(([a], [b]) => a - b)),
    extra,
  };
}

/** A replay that has lost positions must not pass for one with fewer partitions, or for none. */
function forgotten(id: string, committed: ReadonlyMap<number, CommittedOffset>): string {
  const known = [...committed]
    .sort(([a], [b]) => a - b)
    .map(([partition, { offset }]) => `${partition}:${offset}`);
  return (
    `Kafka has forgotten positions of replay ${id} (offsets.retention.minutes of the brokers); it cannot go on. Still ` +
    `known are, as partition:offset, ${known.join(', ')}. Begin a new one for the rest, with --offsets`
  );
}

function parse(metadata: string): PartitionEntry | undefined {
  try {
    const value = JSON.parse(metadata) as PartitionEntry | null;
    return typeof value?.from === 'string' && typeof value.to === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
