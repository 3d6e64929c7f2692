import type { Stage } from '../model/errors.ts';
import type { OutgoingRecord } from '../model/records.ts';
import { HEADER, type RecordHeaders } from './headers.ts';
import { isRecordTime } from './record-time.ts';

/** Bytes reserved in a record batch for headers, key and framing. */
export const RECORD_FRAME_BYTES = 16 * 1024;
/** UTF-16 units of an error's message that are kept: it may quote input. */
const MESSAGE_CHARACTERS = 1_000;
/** RecordHeaders as received are kept up to this many bytes in all; `RECORD_FRAME_BYTES` has room for them. */
const RECEIVED_HEADER_BYTES = 8 * 1024;
/** Most bytes of a header's two length fields. Counted, since a thousand headers without a value add up. */
const HEADER_FRAMING_BYTES = 6;

/** A record's key is kept up to this many bytes. */
const KEY_BYTES = 4 * 1024;
/** RecordHeaders that describe the dead letter itself: those of the source record are dropped. */
const SAID_HERE: ReadonlySet<string> = new Set([
  HEADER.truncated,
  HEADER.headersLeftOut,
  HEADER.keyLeftOut,
  HEADER.batch,
]);

/** RecordHeaders that a redriven record keeps; a record without a value for them gets new ones. */
const KEPT_FROM_FIRST: ReadonlySet<string> = new Set([HEADER.firstSeen, HEADER.timestamp]);

/** The dead-letter topic. */
export interface DeadTopic {
  readonly topic: string;
  readonly partitions: number;
  /** The topic's `max.message.bytes`. */
  readonly maxMessageBytes: number;
}

/** Data that could not be used, and the reason. */
export interface DeadContent {
  readonly source: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
    /** Kafka timestamp in ms. */
    readonly timestamp: number;
    readonly key?: Buffer | null;
  };
  readonly stage: Stage;
  /** Short, stable identifier. */
  readonly reason: string;
  readonly message: string;
  /** The record as received, or the offending series as snappy(WriteRequest). */
  readonly value: Buffer | null;
  /** Of an unreadable record batch: its size in bytes, of which `value` may be only the beginning, and its offsets. */
  readonly batch?: { readonly length: number; readonly offsets: string };
  /** RecordHeaders that describe `value`. */
  readonly headers: RecordHeaders;
}

/**
 * A record of the dead-letter topic (docs/concepts/record-format.md).
 *
 * A value too large for the topic is cut, and `penstock-truncated` has its full length; `penstock-source` names the
 * original. A key of more than 4 KiB is left out, and `penstock-key-left-out` has its length. RecordHeaders beyond 8 KiB are
 * left out, and `penstock-headers-left-out` has their number. A record that failed before keeps the time of its first
 * failure. `penstock-timestamp` has the time of the source record, or of its receipt if it has none: samples may have
 * no other.
 */
export function encodeDeadLetter(content: DeadContent, dead: DeadTopic, nowMs: number): OutgoingRecord {
  const { source, value, headers } = content;
  const room = Math.max(0, dead.maxMessageBytes - RECORD_FRAME_BYTES);
  const fullLength = content.batch?.length ?? value?.length ?? 0;
  const cut = value !== null && fullLength > Math.min(room, value.length);
  const key = keptKey(source.key);
  const { headers: received, leftOut } = fittingHeaders(headers);
  return {
    topic: dead.topic,
    partition: source.partition % dead.partitions,
    key,
    value: cut ? value.subarray(0, room) : value,
    timestamp: nowMs,
    headers: {
      [HEADER.firstSeen]: new Date(nowMs).toISOString(),
      [HEADER.timestamp]: String(isRecordTime(source.timestamp) ? source.timestamp : nowMs),
      ...received,
      [HEADER.error]: content.message.slice(0, MESSAGE_CHARACTERS),
      [HEADER.stage]: content.stage,
      [HEADER.reason]: content.reason,
      [HEADER.source]: `${source.topic}/${source.partition}/${source.offset}`,
      ...(content.batch === undefined ? {} : { [HEADER.batch]: content.batch.offsets }),
      ...(cut ? { [HEADER.truncated]: String(fullLength) } : {}),
      ...(source.key && key === null ? { [HEADER.keyLeftOut]: String(source.key.length) } : {}),
      ...(leftOut > 0 ? { [HEADER.headersLeftOut]: String(leftOut) } : {}),
    },
  };
}

/** The record's key, or null if it is too long to be kept. */
function keptKey(key: Buffer | null | undefined): Buffer | null {
  return key == null || key.length > KEY_BYTES ? null : key;
}

/** The received headers that fit: a dead letter has to stay writable. RecordHeaders without a value are kept. */
function fittingHeaders(headers: DeadContent['headers']) {
  const fitting: Record<string, string | Buffer | null> = Object.create(null);
  let bytes = 0;
  let leftOut = 0;
  for (const [name, text] of Object.entries(headers)) {
    if (text === undefined || SAID_HERE.has(name) || (text === null && KEPT_FROM_FIRST.has(name))) continue;
    const size =
      Buffer.byteLength(name) + (text === null ? 0 : Buffer.byteLength(text)) + HEADER_FRAMING_BYTES;
    if (bytes + size > RECEIVED_HEADER_BYTES) leftOut += 1;
    else {
      fitting[name] = text;
      bytes += size;
    }
  }
  return { headers: fitting, leftOut };
}
