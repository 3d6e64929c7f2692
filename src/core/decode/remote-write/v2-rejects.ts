import type { PoisonError } from '../../model/errors.ts';
import { ByteSink } from '../../wire/byte-sink.ts';
import { viewOf } from '../../wire/bytes.ts';
import { ProtobufReader } from '../../wire/protobuf-reader.ts';
import { compress } from '../../wire/snappy.ts';
import type { ByteRanges } from '../byte-ranges.ts';
import type { Reject } from '../decoder.ts';

const V1 = 'application/x-protobuf;proto=prometheus.WriteRequest';
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
/** Tags of Request.symbols, Request.timeseries. */
const SYMBOL = 0x22;
const SERIES = 0x2a;
const LABELS_REFS = 1;

/** An exemplar that cannot be resolved, and why. Its series goes on without it. */
export interface BadExemplar {
  readonly message: string;
  /** The field in the body, tag included. */
  readonly start: number;
  readonly end: number;
}

interface Group {
  readonly message: string;
  count: number;
  /** TimeSeries fields of a Request. */
  readonly series: ByteSink;
}

/**
 * Collects the unusable parts of a 2.0 request. References mean nothing without the symbol table, so each reject is a
 * Request of its own with all symbols, in snappy; series with the same reason share one, so that the table is not
 * repeated for every bad series.
 */
export class BadSeries {
  readonly #body: Buffer;
  readonly #view: DataView;
  readonly #symbols: ByteRanges;
  readonly #groups = new Map<string, Group>();
  #version1: ByteSink | undefined;
  #version1Fields = 0;

  constructor(body: Buffer, symbols: ByteRanges) {
    this.#body = body;
    this.#view = viewOf(body);
    this.#symbols = symbols;
  }

  /** Adds the TimeSeries in `[start, end)` unchanged. */
  addSeries(error: PoisonError, start: number, end: number): void {
    this.#group(error.reason, error.message).series.field(SERIES, this.#view, start, end - start);
  }

  /** Adds the labels of the TimeSeries in `[start, end)`, with its bad exemplars only. */
  addExemplars(exemplars: readonly BadExemplar[], start: number, end: number): void {
    const { series } = this.#group('exemplar', exemplars[0]!.message);
    series.byte(SERIES);
    const contentStart = series.length + 1;
    series.byte(0);
    const fields = new ProtobufReader(this.#body, start, end);
    while (fields.next()) {
      fields.skip();
      if (fields.field === LABELS_REFS)
        series.copy(this.#view, fields.fieldStart, fields.position - fields.fieldStart);
    }
    for (const exemplar of exemplars) series.copy(this.#view, exemplar.start, exemplar.end - exemplar.start);
    series.closeMessage(contentStart, 1);
  }

  /** Adds a field of a 1.0 WriteRequest that was declared as 2.0. */
  addVersion1(fieldStart: number, fieldEnd: number): void {
    this.#version1 ??= new ByteSink();
    this.#version1.copy(this.#view, fieldStart, fieldEnd - fieldStart);
    this.#version1Fields++;
  }

  close(): Reject[] {
    const rejects: Reject[] = [];
    if (this.#version1) {
      rejects.push({
        reason: 'wrong_version',
        message:
          `declared as remote write 2.0, but ${this.#version1Fields} of its fields are those of a 1.0 WriteRequest: ` +
          'send 1.0 with the content type application/x-protobuf',
        value: compress(this.#version1.finish()),
        contentType: V1,
      });
    }
    for (const [reason, { message, count, series }] of this.#groups) {
      const request = new ByteSink();
      for (let i = 0; i < this.#symbols.count; i++) {
        const start = this.#symbols.start(i);
        request.field(SYMBOL, this.#view, start, this.#symbols.end(i) - start);
      }
      const bad = series.finish();
      request.copy(viewOf(bad), 0, bad.length);
      const more = count > 1 ? ` (the first of ${count} series)` : '';
      rejects.push({ reason, message: message + more, value: compress(request.finish()), contentType: V2 });
    }
    return rejects;
  }

  #group(reason: string, message: string): Group {
    let group = this.#groups.get(reason);
    if (!group) {
      group = { message, count: 0, series: new ByteSink() };
      this.#groups.set(reason, group);
    }
    group.count++;
    return group;
  }
}
