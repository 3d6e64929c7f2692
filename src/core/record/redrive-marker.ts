import { ConfigError } from '../model/errors.ts';
import type { OutgoingRecord, SourceRecord } from '../model/records.ts';
import { FORMAT_VERSION, HEADER, unknownVersion } from './headers.ts';

/** First and last offset, both included. */
export type OffsetRange = readonly [first: bigint, last: bigint];

/** Key of a marker. A dead letter may have it too, from its record, but has a stage. */
const KEY = 'penstock-redriven';

/**
 * The record by which a redrive says, in the dead-letter topic itself, which letters of the same partition it has
 * redriven. It is written in the transaction that carries them. Retention takes a marker after the letters that it
 * names, since it stands behind them.
 */
export function markerRecord(
  topic: string,
  partition: number,
  ranges: readonly OffsetRange[],
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
 * The offsets that a marker names; undefined for a record that is none.
 *
 * @throws ConfigError for a marker of a version that this release does not know: without it letters would be redriven
 *   a second time
 */
export function readMarker({
  topic,
  partition,
  offset,
  key,
  value,
  headers,
}: SourceRecord): readonly OffsetRange[] | undefined {
  if (key?.toString() !== KEY || headers[HEADER.stage] != null) return undefined;
  const unknown = unknownVersion(headers, 'decode');
  if (unknown !== undefined) {
    const version = JSON.stringify(headers[HEADER.version]!.toString().slice(0, 20));
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
