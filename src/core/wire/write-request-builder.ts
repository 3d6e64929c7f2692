import { viewOf } from './bytes.ts';
import type { LabelFields } from './label-fields.ts';
import { TIME_SERIES, WRITE_REQUEST } from './write-request.ts';

/**
 * Builds remote write 1.0 WriteRequests from decoded parts, for the decoders of other encodings.
 *
 *     builder.beginSeries();
 *     builder.label('__name__', 'up');
 *     builder.sample(1, 1700000000000);
 *     builder.endSeries();
 *     const body = builder.finish();
 *
 * Labels first, then samples, as the hot path expects. A builder can be used again after `finish`.
 */
export class WriteRequestBuilder {
  #bytes: Buffer;
  /** View of `#bytes` when labels were last copied; stale if the length differs, since `#bytes` is replaced to grow. */
  #view: DataView;
  #length = 0;
  #seriesStart = -1;
  #seriesCount = 0;

  #isWellFormed = true;

  /** @param firstBytes initial size of the buffer */
  constructor(firstBytes = FIRST_BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(firstBytes);
    this.#view = viewOf(this.#bytes);
  }

  /** Series ended since the last `finish`. */
  get series(): number {
    return this.#seriesCount;
  }

  /** Whether all texts of the current series are well-formed: a lone surrogate has no UTF-8. */
  get isWellFormed(): boolean {
    return this.#isWellFormed;
  }

  /** Bytes built since the last `finish`. */
  get length(): number {
    return this.#length;
  }

  beginSeries(): void {
    if (this.#seriesStart >= 0)
      throw new Error('beginSeries inside a series: call endSeries or discardSeries first');
    this.#seriesStart = this.#length;
    this.#isWellFormed = true;
    this.#reserve(LENGTH_BYTES + 1);
    // The length is known at the end; until then the most bytes that it can take are reserved.
    this.#length += LENGTH_BYTES + 1;
  }

  /** One label of the current series; text as UTF-8. */
  label(name: string, value: string): void {
    const nameLength = Buffer.byteLength(name);
    const valueLength = Buffer.byteLength(value);
    // Text of as many bytes as characters is ASCII.
    if (nameLength !== name.length && !name.isWellFormed()) this.#isWellFormed = false;
    if (valueLength !== value.length && !value.isWellFormed()) this.#isWellFormed = false;
    const size = 2 + varintLength(nameLength) + varintLength(valueLength) + nameLength + valueLength;
    this.#reserve(size + 8);
    this.#byte(TIME_SERIES.labels * 8 + 2);
    this.#varint(size);
    this.#byte(0x0a);
    this.#varint(nameLength);
    this.#length += this.#bytes.write(name, this.#length, nameLength);
    this.#byte(0x12);
    this.#varint(valueLength);
    this.#length += this.#bytes.write(value, this.#length, valueLength);
  }

  /** Labels of the current series that are encoded already. */
  labelFields(labels: LabelFields): void {
    this.#reserve(labels.length + 8);
    this.#copy(labels);
  }

  /**
   * Appends a series of one sample with the labels of both, in that order. The time in ms as for `sample`.
   * Fast path of beginSeries, labelFields, sample and endSeries: the size is known, so nothing is moved.
   */
  sampleSeries(labels: LabelFields, more: LabelFields, value: number, timestampMs: number | bigint): void {
    const size = labels.length + more.length + 12 + int64Length(timestampMs);
    this.#reserve(size + 32);
    this.#byte(WRITE_REQUEST.timeseries * 8 + 2);
    this.#varint(size);
    this.#copy(labels);
    this.#copy(more);
    this.sample(value, timestampMs);
    this.#seriesCount++;
  }

  /** Appends metadata of a metric family, in UTF-8; `type`: prompb's MetricMetadata.MetricType. Not inside a series. */
  metadata(type: number, metric: Uint8Array, help: Uint8Array): void {
    let size = 1 + varintLength(type);
    if (metric.length > 0) size += 1 + varintLength(metric.length) + metric.length;
    if (help.length > 0) size += 1 + varintLength(help.length) + help.length;
    this.#reserve(size + 16);
    this.#byte(WRITE_REQUEST.metadata * 8 + 2);
    this.#varint(size);
    this.#byte(0x08);
    this.#varint(type);
    if (metric.length > 0) this.field(METADATA_METRIC, metric);
    if (help.length > 0) this.field(METADATA_HELP, help);
  }

  /**
   * One sample of the current series; the time in ms since the epoch, a bigint if it does not fit a number.
   * Both fields are always written. A number keeps no NaN payload: a stale marker needs `sampleBits`.
   */
  sample(value: number, timestampMs: number | bigint): void {
    this.#sampleHead(timestampMs);
    this.#bytes.writeDoubleLE(value, this.#length);
    this.#sampleTail(timestampMs);
  }

  /** As `sample`, with the 64 bits of the value as they are. */
  sampleBits(valueBits: bigint, timestampMs: number | bigint): void {
    this.#sampleHead(timestampMs);
    this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, valueBits), this.#length);
    this.#sampleTail(timestampMs);
  }

  /** One length-delimited field of the current series, such as an exemplar or a histogram already encoded. */
  field(field: number, message: Uint8Array): void {
    this.#reserve(message.length + 20);
    this.#varint(field * 8 + 2);
    this.#varint(message.length);
    this.#bytes.set(message, this.#length);
    this.#length += message.length;
  }

  endSeries(): void {
    const start = this.#open();
    const content = start + 1 + LENGTH_BYTES;
    const size = this.#length - content;
    this.#length = start;
    this.#byte(WRITE_REQUEST.timeseries * 8 + 2);
    this.#varint(size);
    this.#bytes.copyWithin(this.#length, content, content + size);
    this.#length += size;
    this.#seriesStart = -1;
    this.#seriesCount++;
  }

  /** Discards the current series. */
  discardSeries(): void {
    this.#length = this.#open();
    this.#seriesStart = -1;
  }

  /** Discards what was built since `length` and `series` had these values, an open series included. */
  rollBack(length: number, series: number): void {
    this.#length = length;
    this.#seriesCount = series;
    this.#seriesStart = -1;
  }

  /** Appends a whole TimeSeries message as it is. */
  rawSeries(timeSeries: Uint8Array): void {
    this.#reserve(timeSeries.length + 20);
    this.#byte(WRITE_REQUEST.timeseries * 8 + 2);
    this.#varint(timeSeries.length);
    this.#bytes.set(timeSeries, this.#length);
    this.#length += timeSeries.length;
    this.#seriesCount++;
  }

  /** The WriteRequest, in a buffer of its own; the builder is empty afterwards. */
  finish(): Buffer {
    if (this.#seriesStart >= 0)
      throw new Error('finish inside a series: call endSeries or discardSeries first');
    const built = this.#bytes.subarray(0, this.#length);
    const isLarge = built.length > KEPT_BYTES;
    // A copy of a large body would double its memory: the buffer itself is handed out, and a small one replaces it.
    const body = isLarge ? built : Buffer.from(built);
    if (isLarge) this.#replace();
    this.#length = 0;
    this.#seriesCount = 0;
    return body;
  }

  /** Empties the builder, an open series included, after a record that was given up. */
  reset(): void {
    this.#length = 0;
    this.#seriesCount = 0;
    this.#seriesStart = -1;
    // One huge record must not hold its memory for ever.
    if (this.#bytes.length > KEPT_BYTES) this.#replace();
  }

  #replace(): void {
    this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#view = viewOf(this.#bytes);
  }

  #copy(labels: LabelFields): void {
    if (this.#view.byteLength !== this.#bytes.length) this.#view = viewOf(this.#bytes);
    labels.copyTo(this.#view, this.#length);
    this.#length += labels.length;
  }

  #open(): number {
    if (this.#seriesStart < 0) throw new Error('no series is open: call beginSeries first');
    return this.#seriesStart;
  }

  #sampleHead(timestampMs: number | bigint): void {
    this.#reserve(32);
    this.#byte(TIME_SERIES.samples * 8 + 2);
    this.#byte(10 + int64Length(timestampMs));
    this.#byte(0x09);
  }

  #sampleTail(timestampMs: number | bigint): void {
    this.#length += 8;
    this.#byte(0x10);
    this.#int64(timestampMs);
  }

  #byte(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
    }
    // Values of 31 bits need no division.
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  #int64(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      this.#varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

const FIRST_BYTES = 64 * 1024;

/** Fields of prompb's MetricMetadata. */
const METADATA_METRIC = 2;
const METADATA_HELP = 4;

/** Largest buffer that `reset` and `finish` keep. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** Room kept for a series' length: 5 bytes hold 32 bits. */
const LENGTH_BYTES = 5;

/** Bytes that a varint takes. */
export function varintLength(value: number): number {
  let length = 1;
  let rest = value;
  for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) length++;
  for (; rest >= 0x80; rest >>>= 7) length++;
  return length;
}

function int64Length(value: number | bigint): number {
  if (typeof value === 'number' && value >= 0) return varintLength(value);
  let length = 1;
  for (let rest = BigInt.asUintN(64, BigInt(value)); rest >= 0x80n; rest >>= 7n) length++;
  return length;
}
