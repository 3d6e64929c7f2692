import type { PoisonError } from '../model/errors.ts';
import { compress } from '../wire/snappy.ts';
import { varintBytes } from '../wire/varint-bytes.ts';
import type { ByteRanges } from './byte-ranges.ts';
import type { Reject } from './decoder.ts';

const V1 = 'application/x-protobuf;proto=prometheus.WriteRequest';
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** An exemplar that cannot be resolved, and why. The series that it stood in goes on without it. */
export interface BadExemplar {
  readonly message: string;
  /** The field in the body, tag included. */
  readonly start: number;
  readonly end: number;
}

interface Group {
  readonly message: string;
  count: number;
  readonly parts: Uint8Array[];
}

/**
 * Collects what of a 2.0 request cannot be used. References mean nothing without the symbol table, so each reject is
 * a Request of its own with all symbols, snappy'd; those with the same reason share one, so that the table is not
 * repeated for every bad series.
 */
export class BadSeries {
  readonly #body: Buffer;
  readonly #symbols: ByteRanges;
  readonly #groups = new Map<string, Group>();
  readonly #version1: Uint8Array[] = [];

  constructor(body: Buffer, symbols: ByteRanges) {
    this.#body = body;
    this.#symbols = symbols;
  }

  /** The TimeSeries in `[start, end)` as it is. */
  addSeries(error: PoisonError, start: number, end: number): void {
    this.#add(error.reason, error.message, this.#body.subarray(start, end));
  }

  /** The labels of the TimeSeries in `[start, end)` with its bad exemplars only. */
  addExemplars(exemplars: readonly BadExemplar[], start: number, end: number): void {
    const { parts, first } = exemplars.reduce<{ parts: Uint8Array[]; first: BadExemplar }>(
      (found, exemplar) => {
        found.parts.push(this.#body.subarray(exemplar.start, exemplar.end));
        return found;
      },
      { parts: labelReferences(this.#body, start, end), first: exemplars[0]! },
    );
    this.#add('exemplar', first.message, Buffer.concat(parts));
  }

  /** A field of a 1.0 WriteRequest, which somebody declared as 2.0. */
  addVersion1(fieldStart: number, fieldEnd: number): void {
    this.#version1.push(this.#body.subarray(fieldStart, fieldEnd));
  }

  close(): Reject[] {
    const rejects: Reject[] = [];
    if (this.#version1.length > 0) {
      rejects.push({
        reason: 'wrong_version',
        message: `declared as remote write 2.0, but ${this.#version1.length} fields are those of a 1.0 WriteRequest: send 1.0 as application/x-protobuf`,
        value: compress(Buffer.concat(this.#version1)),
        contentType: V1,
      });
    }
    if (this.#groups.size === 0) return rejects;
    const table: Uint8Array[] = [];
    for (let i = 0; i < this.#symbols.count; i++) {
      const symbol = this.#body.subarray(this.#symbols.start(i), this.#symbols.end(i));
      table.push(varintBytes(0x22, symbol.length), symbol);
    }
    const symbols = Buffer.concat(table);
    for (const [reason, { message, count, parts }] of this.#groups) {
      const more = count > 1 ? ` (the first of ${count} series)` : '';
      const value = compress(Buffer.concat([symbols, ...parts]));
      rejects.push({ reason, message: message + more, value, contentType: V2 });
    }
    return rejects;
  }

  #add(reason: string, message: string, timeSeries: Uint8Array): void {
    let group = this.#groups.get(reason);
    if (!group) {
      group = { message, count: 0, parts: [] };
      this.#groups.set(reason, group);
    }
    group.count++;
    group.parts.push(varintBytes(0x2a, timeSeries.length), timeSeries);
  }
}
