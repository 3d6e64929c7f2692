import type { Reject } from '../decode/decoder.ts';
import { headerText } from '../decode/record-headers.ts';
import { messageText, type PoisonError, type Stage } from '../model/errors.ts';
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

/** The dead letters of a step, record by record. */
export class DeadLetters {
  readonly letters: DeadLetter[] = [];
  #source: SourceRecord | undefined;
  #tenant: DeadLetter['headers'] = {};
  /** Unusable series of the record by stage and reason. */
  readonly #series = new Map<
    string,
    { readonly error: PoisonError; readonly request: WriteRequestBuilder }
  >();
  /** Bytes of the first `#weighed` letters. */
  #bytes = 0;
  #weighed = 0;

  /** The following calls are for this record of this tenant. */
  begin(source: SourceRecord, tenant: DeadLetter['headers']): void {
    this.#source = source;
    this.#tenant = tenant;
  }

  /** The whole record; `begin` need not have been called. */
  whole(source: SourceRecord, { stage, reason, message }: PoisonError): void {
    // By entries: an assignment to a header named __proto__ would set the prototype.
    const received = Object.entries(source.headers).filter(
      (entry): entry is [string, Buffer | string | null] => entry[1] !== undefined,
    );
    const headers = Object.fromEntries(received);
    this.letters.push({ source, stage, reason, message, value: source.value, headers, series: 0 });
  }

  /** The parts that the decoder set aside, each with the headers needed to decode it alone. */
  parts(rejects: readonly Reject[]): void {
    if (rejects.length === 0) return;
    const source = this.#source!;
    // Computed once: a record may have thousands of headers, and hundreds of parts.
    const names = [...HISTORY, HEADER.timestamp, HEADER.query, HEADER.path];
    const shared = { ...kept(source, names), ...this.#tenant };
    for (const { reason, message, value, contentType } of rejects) {
      this.letters.push({
        source,
        stage: 'decode',
        reason,
        message: messageText(message),
        value: ofItsOwn(value),
        headers: { ...shared, 'content-type': UNSHARED[contentType] ?? contentType },
        series: 0,
      });
    }
  }

  /**
   * A series, without the tag and length in front of it. Those of a record with the same reason share a dead letter, so
   * that a producer that gets all its series wrong does not multiply records. The message is that of the first.
   */
  series(error: PoisonError, timeSeries: Uint8Array): void {
    const key = `${error.stage}/${error.reason}`;
    let group = this.#series.get(key);
    if (!group) {
      group = { error, request: new WriteRequestBuilder(FIRST_BYTES) };
      this.#series.set(key, group);
    }
    group.request.rawSeries(timeSeries);
    if (group.request.length < ENOUGH_BYTES) return;
    this.#series.delete(key);
    this.#close(group.error, group.request);
  }

  /**
   * The rest of a WriteRequest with sound framing, from `from` on, that may not be read any more: whole fields, about
   * 256 KiB a dead letter, so that each fits the topic and has its own budget when it is redriven.
   *
   * @returns number of series in it
   */
  rest({ stage, reason, message }: PoisonError, body: Buffer, from: number): number {
    const source = this.#source!;
    const headers = this.#seriesHeaders();
    const fields = new ProtobufReader(body, from);
    let start = from;
    let series = 0;
    let all = 0;
    const close = () => {
      const value = compress(body.subarray(start, fields.position));
      const text = messageText(`${message}; these ${series} series were not looked at`);
      this.letters.push({ source, stage, reason, message: text, value, headers, series });
      start = fields.position;
      all += series;
      series = 0;
    };
    while (fields.next()) {
      fields.skip();
      if (fields.field === WRITE_REQUEST.timeseries) series++;
      if (fields.position - start >= ENOUGH_BYTES && series > 0) close();
    }
    if (series > 0) close();
    return all;
  }

  /** Closes the dead letters of the record. */
  end(): void {
    if (this.#series.size === 0) return;
    for (const { error, request } of this.#series.values()) this.#close(error, request);
    this.#series.clear();
  }

  /** Bytes that the letters take in a transaction. */
  get bytes(): number {
    for (; this.#weighed < this.letters.length; this.#weighed++)
      this.#bytes += weightOf(this.letters[this.#weighed]!);
    return this.#bytes;
  }

  #close({ stage, reason, message }: PoisonError, request: WriteRequestBuilder): void {
    const series = request.series;
    const value = compress(request.finish());
    const headers = this.#seriesHeaders();
    this.letters.push({ source: this.#source!, stage, reason, message, value, headers, series });
  }

  #seriesHeaders(): DeadLetter['headers'] {
    return { ...kept(this.#source!, HISTORY), ...this.#tenant, ...WRITE_REQUEST_HEADERS };
  }
}

/** Those of the named headers (lower case) that the record has. */
function kept({ headers }: SourceRecord, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, headerText(headers, name)]).filter(([, text]) => text !== ''),
  );
}

/** Copies a small part of a large body, which would otherwise stay in memory until the part is published. */
function ofItsOwn(part: Buffer): Buffer {
  return part.length * 2 < part.buffer.byteLength ? Buffer.from(part) : part;
}

/** Approximate bytes of a dead letter's own headers and framing, its message left out. */
const LETTER_BYTES = 500;

/** Bytes that a dead letter takes in a transaction. */
function weightOf({ source, value, headers, message }: DeadLetter): number {
  let bytes = LETTER_BYTES + (value?.length ?? 0) + message.length;
  // Upper bound: a long key is left out.
  bytes += source.key?.length ?? 0;
  for (const name in headers) bytes += name.length + (headers[name]?.length ?? 0);
  return bytes;
}
