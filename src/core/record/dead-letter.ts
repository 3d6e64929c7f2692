import type { Stage } from '../model/errors.ts';
import type { OutgoingRecord } from '../model/records.ts';
import { HEADER, type Headers } from './headers.ts';
import { isRecordTime } from './record-time.ts';

/** Room that headers, key and framing take in a record batch, in bytes. */
export const RECORD_OVERHEAD_BYTES = 16 * 1024;
/** An error's message may quote input; more than this of it is cut. */
const MESSAGE_CHARACTERS = 1_000;
/** Headers as received are kept up to this many bytes in all; `RECORD_OVERHEAD_BYTES` has room for them. */
const RECEIVED_HEADER_BYTES = 8 * 1024;
/** Lengths of a header's name and value, at most: a thousand headers without a value are no small record. */
const HEADER_FRAMING_BYTES = 6;

/** A record's key is kept up to this many bytes. */
const KEY_BYTES = 4 * 1024;
/** What only says something of a letter: a record that has such headers was no letter. */
const SAID_HERE: ReadonlySet<string> = new Set([
  HEADER.truncated,
  HEADER.headersLeftOut,
  HEADER.keyLeftOut,
  HEADER.batch,
]);

/** What a record that was redriven brings along, and any other is given. */
const KEPT_FROM_FIRST: ReadonlySet<string> = new Set([HEADER.firstSeen, HEADER.timestamp]);

/** Where the dead letters go. */
export interface DeadTopic {
  readonly topic: string;
  readonly partitions: number;
  /** The topic's `max.message.bytes`. */
  readonly maxMessageBytes: number;
}

/** What could not be used, and why. */
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
  /** Of a record batch that cannot be read: its size, of which `value` may be the beginning, and its offsets. */
  readonly batch?: { readonly length: number; readonly offsets: string };
  /** Headers that describe `value`. */
  readonly headers: Headers;
}

/**
 * A record of the dead-letter topic (docs/concepts/record-format.md).
 *
 * A value that the topic cannot hold is cut, and `penstock-truncated` gives its true length: the source record
 * is named beside it. A key of more than 4 KiB is left out, and `penstock-key-left-out` says how long it was. Headers
 * beyond 8 KiB are left out, and `penstock-headers-left-out` counts them. One that failed before keeps the time of its
 * first failure. `penstock-timestamp` keeps the time of the source record, or of its receipt where it has none: samples
 * may have no other.
 */
export function encodeDeadLetter(content: DeadContent, dead: DeadTopic, nowMs: number): OutgoingRecord {
  const { source, value, headers } = content;
  const room = Math.max(0, dead.maxMessageBytes - RECORD_OVERHEAD_BYTES);
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

/** The key of a record as its dead letters have it: null where it is too long for them. */
function keptKey(key: Buffer | null | undefined): Buffer | null {
  return key == null || key.length > KEY_BYTES ? null : key;
}

/** As many headers as there is room for: a record that nobody can write is no dead letter. Those without a value are kept. */
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
