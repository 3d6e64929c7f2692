import { isRecordTime } from '../../../core/record/record-time.ts';
import type { KafkaConnection } from '../client/connection.ts';
import { type OffsetRange, readRanges } from '../range/range-reader.ts';
import type { KafkaAdmin } from './admin.ts';

/** Offsets read per range: the first of them may be transaction markers. */
const LOOKED_AT = 10n;

/** Time of each range's first record by partition, in ms since the epoch; absent if not read before `signal`. */
export async function firstRecordTimes(
  connection: KafkaConnection,
  admin: KafkaAdmin,
  topic: string,
  ranges: ReadonlyMap<number, OffsetRange>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<number, number>> {
  const beginnings = [...ranges].map(([partition, { from, to }]): [number, OffsetRange] => {
    return [partition, { from, to: from + LOOKED_AT < to ? from + LOOKED_AT : to }];
  });
  const times = new Map<number, number>();
  await readRanges(connection, admin, {
    topic,
    ranges: new Map(beginnings),
    signal,
    onCorrupt: () => undefined,
    visit: ([first]) => {
      if (!times.has(first!.partition) && isRecordTime(first!.timestamp))
        times.set(first!.partition, first!.timestamp);
    },
  });
  return times;
}
