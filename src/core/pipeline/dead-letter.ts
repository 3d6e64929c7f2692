import type { Reject } from '../decode/decoder.ts';
import { headerText } from '../decode/record-headers.ts';
import { type PoisonError, printable, type Stage } from '../model/errors.ts';
import type { SourceRecord } from '../model/records.ts';
import { HEADER } from '../record/headers.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { compress } from '../wire/snappy.ts';
import { WRITE_REQUEST } from '../wire/write-request.ts';
import { WriteRequestBuilder } from '../wire/write-request-builder.ts';

/** Data that could not be used, and the reason. */
export interface DeadLetter {
  readonly source: SourceRecord;
  readonly stage: Stage;
  /** Short, stable identifier: `snappy`, `protobuf`, `empty_record`, `duplicate_label`, … */
  readonly reason: string;
  readonly message: string;
  /** The record as received, or the offending series as a snappy'd WriteRequest. */
  readonly value: Buffer | null;
  /** Encoding of `value` and tenant headers; for a whole record all its headers. */
  readonly headers: Readonly<Record<string, Buffer | string | null>>;
  /** TimeSeries in `value`; 0 where it is the whole record or was never a TimeSeries. */
  readonly series: number;
}

/** Redrive history of a record, which a part of it that fails again inherits. */
const HISTORY: readonly string[] = [HEADER.redriven, HEADER.firstSeen];

/** Headers of a value that is a remote write 1.0 request, whatever the encoding of its source. */
const WRITE_REQUEST_HEADERS = {
  'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest',
  'content-encoding': 'snappy',
} as const;

/** Content types that several encodings share ▸ the form that names only the decoder which claims the type. */
const UNSHARED: Readonly<Record<string, string>> = {
  'text/plain': 'text/plain; version=0.0.4',
  'application/json': 'application/jsonl',
  'application/x-ndjson': 'application/jsonl',
};

/**
 * A dead letter is closed when its series reach this many bytes before compression: it then fits in a topic whose
 * max.message.bytes is Kafka's default, with room for one large series.
 */
const ENOUGH_BYTES = 256 * 1024;
/** Initial buffer: usually only a few series of a record are set aside. */
const FIRST_BYTES = 4 * 1024;

/** The whole record as a dead letter. */
export function deadWhole(source: SourceRecord, error: PoisonError): DeadLetter {
  // By entries: an assignment to a header named __proto__ would set the prototype.
  const received = Object.entries(source.headers).filter(
    (entry): entry is [string, Buffer | string | null] => {
      return entry[1] !== undefined;
    },
  );
  const headers = Object.fromEntries(received);
  const { stage, reason, message } = error;
  return { source, stage, reason, message, value: source.value, headers, series: 0 };
}

/** The parts of a record that its decoder set aside, each with the headers needed to decode it alone. */
export function deadParts(
  source: SourceRecord,
  rejects: readonly Reject[],
  tenant: DeadLetter['headers'],
): DeadLetter[] {
  if (rejects.length === 0) return [];
  // Computed once: a record may have thousands of headers, and hundreds of parts.
  const shared = { ...kept(source, [...HISTORY, HEADER.timestamp, HEADER.query, HEADER.path]), ...tenant };
  return rejects.map(({ reason, message, value, contentType }) => ({
    source,
    stage: 'decode',
    reason,
    message: printable(message),
    value: ofItsOwn(value),
    headers: { ...shared, 'content-type': UNSHARED[contentType] ?? contentType },
    series: 0,
  }));
}

/** Copies a small part of a large body, which would otherwise stay in memory until the part is published. */
function ofItsOwn(part: Buffer): Buffer {
  return part.length * 2 < part.buffer.byteLength ? Buffer.from(part) : part;
}

/**
 * The rest of a WriteRequest with sound framing, from `from` on, that may not be read any more: whole fields, about
 * 256 KiB a dead letter, so that each fits the topic and has its own budget when it is redriven.
 */
export function deadRest(
  source: SourceRecord,
  { stage, reason, message }: PoisonError,
  body: Buffer,
  from: number,
  tenant: DeadLetter['headers'],
): DeadLetter[] {
  const headers = partHeaders(source, tenant);
  const letters: DeadLetter[] = [];
  const fields = new ProtobufReader(body, from);
  let start = from;
  let series = 0;
  const close = () => {
    const value = compress(body.subarray(start, fields.position));
    const text = printable(`${message}; these ${series} series were not looked at`);
    letters.push({ source, stage, reason, message: text, value, headers, series });
    start = fields.position;
    series = 0;
  };
  while (fields.next()) {
    fields.skip();
    if (fields.field === WRITE_REQUEST.timeseries) series++;
    if (fields.position - start >= ENOUGH_BYTES && series > 0) close();
  }
  if (series > 0) close();
  return letters;
}

/** Those of the named headers (lower case) that the record has. */
function kept({ headers }: SourceRecord, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, headerText(headers, name)]).filter(([, text]) => text !== ''),
  );
}

/**
 * Collects the unusable series of one record. Those with the same reason share a dead letter, so that a producer that
 * gets all its series wrong does not multiply records. The message is that of the first.
 */
export class DeadSeries {
  readonly #byReason = new Map<string, { error: PoisonError; request: WriteRequestBuilder }>();

  /** `timeSeries` is the message as received, without the tag and length in front of it. */
  add(
    error: PoisonError,
    timeSeries: Uint8Array,
    source: SourceRecord,
    tenant: DeadLetter['headers'],
    into: DeadLetter[],
  ): void {
    const key = `${error.stage}/${error.reason}`;
    let group = this.#byReason.get(key);
    if (!group) {
      group = { error, request: new WriteRequestBuilder(FIRST_BYTES) };
      this.#byReason.set(key, group);
    }
    group.request.rawSeries(timeSeries);
    if (group.request.length >= ENOUGH_BYTES) {
      this.#byReason.delete(key);
      into.push(letter(group.error, group.request, source, tenant));
    }
  }

  /** Closes the dead letters of a record. */
  drain(source: SourceRecord, tenant: DeadLetter['headers'], into: DeadLetter[]): void {
    if (this.#byReason.size === 0) return;
    for (const { error, request } of this.#byReason.values())
      into.push(letter(error, request, source, tenant));
    this.#byReason.clear();
  }
}

function letter(
  { stage, reason, message }: PoisonError,
  request: WriteRequestBuilder,
  source: SourceRecord,
  tenant: DeadLetter['headers'],
): DeadLetter {
  const series = request.series;
  const value = compress(request.finish());
  return { source, stage, reason, message, value, headers: partHeaders(source, tenant), series };
}

function partHeaders(source: SourceRecord, tenant: DeadLetter['headers']): DeadLetter['headers'] {
  return { ...kept(source, HISTORY), ...tenant, ...WRITE_REQUEST_HEADERS };
}

/** Approximate bytes of a dead letter's own headers and framing, its message left out. */
const LETTER_BYTES = 500;

/** Bytes that a dead letter takes in a transaction. */
export function weightOf({ source, value, headers, message }: DeadLetter): number {
  let bytes = LETTER_BYTES + (value?.length ?? 0) + message.length;
  // Upper bound: a long key is left out.
  bytes += source.key?.length ?? 0;
  for (const name in headers) bytes += name.length + (headers[name]?.length ?? 0);
  return bytes;
}
