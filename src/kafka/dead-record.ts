import type { Stage } from '../model/errors.ts';
import type { OutgoingRecord } from './outgoing.ts';

/** Room that headers, key and framing take in a record batch, in bytes. */
export const RECORD_OVERHEAD_BYTES = 16 * 1024;
/** An error's message may quote input; more than this of it is cut. */
const MESSAGE_CHARACTERS = 1_000;
/** Headers as received are kept up to this many bytes in all; `RECORD_OVERHEAD_BYTES` has room for them. */
const RECEIVED_HEADER_BYTES = 8 * 1024;

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
  };
  readonly stage: Stage;
  /** Short, stable identifier. */
  readonly reason: string;
  readonly message: string;
  /** The record as received, or the offending series as snappy(WriteRequest). */
  readonly value: Buffer | null;
  /** Headers that describe `value`. */
  readonly headers: Readonly<Record<string, Buffer | string | null | undefined>>;
}

/**
 * A record of the dead-letter topic (DESIGN section 4).
 *
 * A value that the topic cannot hold is cut, and `penstock-truncated` gives its true length: the source record
 * is named beside it. Headers beyond 8 KiB are left out, and `penstock-headers-left-out` counts them. One that failed before keeps the time
 * of its first failure. `penstock-timestamp` keeps the time of the source record: samples may have no other.
 */
export function deadRecord(content: DeadContent, dead: DeadTopic, nowMs: number): OutgoingRecord {
  const { source, value, headers } = content;
  const room = Math.max(0, dead.maxMessageBytes - RECORD_OVERHEAD_BYTES);
  const cut = value !== null && value.length > room;
  const received = fittingHeaders(headers);
  const leftOut = Object.values(headers).filter((text) => text != null).length - Object.keys(received).length;
  return {
    topic: dead.topic,
    partition: source.partition % dead.partitions,
    key: null,
    value: cut ? value.subarray(0, room) : value,
    timestamp: nowMs,
    headers: {
      'penstock-first-seen': new Date(nowMs).toISOString(),
      'penstock-timestamp': String(source.timestamp),
      ...received,
      'penstock-error': content.message.slice(0, MESSAGE_CHARACTERS),
      'penstock-stage': content.stage,
      'penstock-reason': content.reason,
      'penstock-source': `${source.topic}/${source.partition}/${source.offset}`,
      ...(cut ? { 'penstock-truncated': String(value.length) } : {}),
      ...(leftOut > 0 ? { 'penstock-headers-left-out': String(leftOut) } : {}),
    },
  };
}

/** The headers that have a value, as many as there is room for: a record that nobody can write is no dead letter. */
function fittingHeaders(headers: DeadContent['headers']): Record<string, string | Buffer> {
  const fitting: Record<string, string | Buffer> = {};
  let bytes = 0;
  for (const [name, text] of Object.entries(headers)) {
    if (text === undefined || text === null) continue;
    const size = Buffer.byteLength(name) + Buffer.byteLength(text);
    if (bytes + size > RECEIVED_HEADER_BYTES) continue;
    fitting[name] = text;
    bytes += size;
  }
  return fitting;
}
