import type { KafkaAdmin, OffsetBounds } from '../../../io/kafka/admin/admin.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';
import type { OffsetRange } from '../../../io/kafka/range/range-reader.ts';

/** The requested range. Times are those of records, in ms since the epoch. */
export type RangeRequest =
  | {
      readonly kind: 'times';
      /** Included. */
      readonly fromMs: number;
      /** Not included. */
      readonly toMs: number;
      /** Extra time read on both sides, in ms: records are not in the order of their times. */
      readonly marginMs: number;
    }
  | {
      readonly kind: 'offsets';
      /** Both included. */
      readonly ranges: readonly {
        readonly partition: number;
        readonly first: bigint;
        readonly last: bigint;
      }[];
    };

/** A partition that has lost its oldest records, of which some were, or may have been, requested. */
export interface Cut {
  readonly partition: number;
  /** The oldest offset that is kept. */
  readonly low: bigint;
  /** Number of requested records that are gone; undefined: unknown, since their times are gone too. */
  readonly gone: bigint | undefined;
  /** Nothing requested is left in this partition. */
  readonly all: boolean;
}

/** The offsets that a replay goes through, fixed once. */
export interface RangePlan {
  /** Partitions without a record in the range are left out. */
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  readonly cuts: readonly Cut[];
  /** Partitions of which only a part of the margin may be gone. */
  readonly marginCuts: readonly Cut[];
}

/** By partition the first offset whose record is not older than a time; the end if there is none. */
export type OffsetsAt = ReadonlyMap<number, bigint>;

/** Offsets at the times of a range. */
interface FoundTimes {
  /** At fromMs − marginMs. */
  readonly begin: OffsetsAt;
  /** At fromMs. */
  readonly from: OffsetsAt;
  /** At toMs + marginMs. */
  readonly end: OffsetsAt;
}

/** Resolves a range to offsets. Ends of partitions are read first: records written from now on are not part of it. */
export async function planRanges(
  admin: KafkaAdmin,
  topic: string,
  request: RangeRequest,
): Promise<RangePlan> {
  if (request.kind === 'offsets') {
    const { bounds, unknown } = await admin.knownBounds(topic);
    const asked = request.ranges.map(({ partition }) => partition);
    // Throws for requested partitions with unknown offsets; other partitions do not matter.
    if (unknown.some((partition) => asked.includes(partition))) await admin.offsetBounds(topic, asked);
    return planOffsets(topic, request.ranges, bounds);
  }
  const bounds = await admin.offsetBounds(topic);
  const { fromMs, toMs, marginMs } = request;
  const begin = await admin.offsetsAt(topic, fromMs - marginMs);
  const from = await admin.offsetsAt(topic, fromMs);
  const end = await admin.offsetsAt(topic, toMs + marginMs);
  return planTimes({ begin, from, end }, bounds);
}

/**
 * The range of each partition: from the first record that is not older than the beginning, to the first that is not
 * older than the end, or to where the partition ended at the start.
 *
 * If the oldest record kept is itself not older than the beginning, and others were there before it, those may have
 * belonged to the range: that is a cut.
 */
export function planTimes(found: FoundTimes, bounds: ReadonlyMap<number, OffsetBounds>): RangePlan {
  const ranges = new Map<number, OffsetRange>();
  const cuts: Cut[] = [];
  const marginCuts: Cut[] = [];
  for (const [partition, { low, high }] of inOrder(bounds)) {
    const at = (offsets: OffsetsAt) => clamp(offsets.get(partition) ?? high, low, high);
    const range = { from: at(found.begin), to: at(found.end) };
    if (range.from < range.to) ranges.set(partition, range);
    if (low === 0n || range.from > low) continue;
    const cut: Cut = { partition, low, gone: undefined, all: range.from >= range.to };
    (at(found.from) > low ? marginCuts : cuts).push(cut);
  }
  return { ranges, cuts, marginCuts };
}

/** @throws FatalKafkaError for a partition that does not exist, and for offsets beyond its end */
export function planOffsets(
  topic: string,
  asked: Extract<RangeRequest, { kind: 'offsets' }>['ranges'],
  bounds: ReadonlyMap<number, OffsetBounds>,
): RangePlan {
  const ranges = new Map<number, OffsetRange>();
  const cuts: Cut[] = [];
  for (const { partition, first, last } of asked) {
    const bound = bounds.get(partition);
    const range = `${partition}:${first}-${last}`;
    if (bound === undefined)
      throw new FatalKafkaError(
        `topic ${topic}: ${range}: there is no partition ${partition}; expected 0 to ${bounds.size - 1}`,
      );
    const { low, high } = bound;
    if (last >= high)
      throw new FatalKafkaError(
        `topic ${topic}: ${range}: partition ${partition} ${low === high ? 'has no records' : `has the offsets ${low} to ${high - 1n}`}`,
      );
    const from = first < low ? low : first;
    if (from <= last) ranges.set(partition, { from, to: last + 1n });
    if (first >= low) continue;
    const all = last < low;
    cuts.push({ partition, low, gone: (all ? last + 1n : low) - first, all });
  }
  return { ranges: new Map(inOrder(ranges)), cuts, marginCuts: [] };
}

/** Cuts in a replay that is resumed: positions that the topic no longer has. */
export function planRest(
  positions: ReadonlyMap<number, { readonly position: bigint; readonly to: bigint }>,
  bounds: ReadonlyMap<number, OffsetBounds>,
): readonly Cut[] {
  return [...positions].flatMap(([partition, { position, to }]): Cut[] => {
    const low = bounds.get(partition)?.low ?? 0n;
    if (position >= to || position >= low) return [];
    const all = to <= low;
    return [{ partition, low, gone: (all ? to : low) - position, all }];
  });
}

function clamp(offset: bigint, low: bigint, high: bigint): bigint {
  return offset < low ? low : offset > high ? high : offset;
}

function inOrder<T>(partitions: ReadonlyMap<number, T>): [number, T][] {
  return [...partitions].sort(([a], [b]) => a - b);
}
