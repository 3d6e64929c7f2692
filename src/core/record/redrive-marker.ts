import { ConfigError } from '../model/errors.ts';
import type { OutgoingRecord, SourceRecord } from '../model/records.ts';
import { FORMAT_VERSION, HEADER, otherVersion } from './headers.ts';

/** First and last offset, both included. */
export type OffsetSpan = readonly [first: bigint, last: bigint];

/** Key of a marker. A dead letter may have the same key, from its source record, but it also has a stage header. */
const KEY = 'penstock-redriven';

/**
 * A redrive marker: a record in the dead-letter topic that lists the redriven letters of its partition. It is written
 * in the transaction that redrives them. It follows the letters in the log, so retention deletes it after them.
 */
export function markerRecord(
  topic: string,
  partition: number,
  ranges: readonly OffsetSpan[],
  nowMs: number,
): OutgoingRecord {
  const redriven = ranges.map(([first, last]) => [String(first), String(last)]);
  return {
    topic,
    partition,
    key: Buffer.from(KEY),
    value: Buffer.from(JSON.stringify({ redriven })),
    headers: { 'content-type': 'application/json', [HEADER.version]: FORMAT_VERSION },
    timestamp: nowMs,
  };
}

/**
 * The offsets that a marker lists; undefined for any other record.
 *
 * @throws ConfigError for a marker of a version that this release does not know: ignoring it would redrive its letters
 *   a second time
 */
export function readMarker({
  topic,
  partition,
  offset,
  key,
  value,
  headers,
}: SourceRecord): readonly OffsetSpan[] | undefined {
  if (key?.toString() !== KEY || headers[HEADER.stage] != null) return undefined;
  const version = otherVersion(headers);
  if (version !== undefined) {
    throw new ConfigError(
      `${topic}, partition ${partition}, offset ${offset}: a redrive marker of version ${version}, and this release ` +
        `reads ${FORMAT_VERSION}: what it names would be redriven again. Use the release that wrote it, or a newer one.`,
    );
  }
  try {
    const { redriven } = JSON.parse(value?.toString() ?? '') as { redriven: [string, string][] };
    return redriven.map(([first, last]) => [BigInt(first), BigInt(last)] as const);
  } catch {
    return undefined;
  }
}
