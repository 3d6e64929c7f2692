import { PoisonError } from '../model/errors.ts';
import { quoteBytes } from '../model/invalid-utf8.ts';
import { type Label, type Labels, MOST_LABELS } from '../model/labels.ts';
import { copyBytes, equalBytes, KEPT_BYTES, viewOf } from './bytes.ts';
import { BYTES, malformed, ProtobufReader } from './protobuf-reader.ts';
import { LABEL, TAG_FIELD_1, TIME_SERIES } from './write-request.ts';

/** Limits on the labels of a series; 0 is no limit. */
export interface LabelLimits {
  /** At most `MOST_LABELS`, which 0 stands for. */
  readonly labels_per_series: number;
  readonly label_name_bytes: number;
  readonly label_value_bytes: number;
}

/**
 * End of the label fields at the start of the TimeSeries in `[start, end)`. Their content is not read.
 * Throws PoisonError `protobuf` if one of them does not end within the series.
 */
export function labelBlockEnd(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end && bytes[position] === TAG_FIELD_1) {
    const length = bytes[position + 1]!;
    if (position + 1 < end && length < 0x80) position += 2 + length;
    else {
      const reader = new ProtobufReader(bytes, position, end);
      reader.next();
      reader.skip();
      position = reader.position;
    }
    if (position > end)
      throw malformed(`label at byte ${position} is truncated: the series ends at byte ${end}`);
  }
  return position;
}

/** Initial capacity in labels. */
const FIRST_LABELS = 64;
const FIRST_BYTES = 4096;
/** Bytes of a label that a message quotes. */
const QUOTED_BYTES = 120;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The decoded labels of one series, with the position of each field, so that a label that relabeling leaves unchanged
 * is written as the bytes it came in. An instance is meant for reuse.
 *
 * Fast path: consecutive series share most of their labels, since an agent sends one target at a time. So a field with
 * the same bytes as the field at its index in the previous series yields the same Label object, and no string is made.
 * That saves 1.8 µs of 5.8 per cold series (docs/internals/measurements.md); a fresh instance, without a previous
 * series, is the plain twin in the tests.
 */
export class LabelBlock {
  /** Labels of the series decoded last. Invalid after `decode` has thrown. */
  labels: Label[] = [];
  bytes: Buffer = Buffer.alloc(0);
  /** First byte of the label fields. */
  #base = 0;
  /**
   * Per label, relative to the first byte of the label fields: start of its field, tag included, and its end, negated
   * if the field is not plain. `#before…` are those of the last series that was decoded completely.
   */
  #starts = new Int32Array(FIRST_LABELS);
  #ends = new Int32Array(FIRST_LABELS);
  #beforeStarts = new Int32Array(FIRST_LABELS);
  #beforeEnds = new Int32Array(FIRST_LABELS);
  #before: Label[] = [];
  #beforeBytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #beforeView = viewOf(this.#beforeBytes);

  /**
   * Decodes the label fields in `[start, end)`, which `labelBlockEnd` or a full walk has found.
   *
   * Throws PoisonError with the reason `protobuf`, `invalid_utf8`, `no_labels`, `empty_label_name`,
   * `duplicate_label`, `too_many_labels`, `label_name_too_long` or `label_value_too_long`.
   *
   * A repeated label name is refused even where the values agree: remote write 1.0 forbids it, Prometheus does not
   * store such series, and which value names the group would depend on the order of labels.
   */
  decode(bytes: Buffer, start: number, end: number, limits: LabelLimits, view = viewOf(bytes)): void {
    this.bytes = bytes;
    this.#base = start;
    // A copy in which the labels that differ are replaced is cheaper than a list that grows.
    const labels = this.#before.slice();
    this.labels = labels;
    let count = 0;
    for (let position = start; position < end; count++) {
      if (count === this.#starts.length) this.#growPlaces();
      this.#starts[count] = position - start;
      const same = this.#sameAsBefore(view, position, end, count);
      if (same > 0) {
        position += same;
        this.#ends[count] = position - start;
      } else position = this.#field(position, end, count, limits);
    }
    if (labels.length > count) labels.length = count;
    if (count === 0) throw poison('no_labels', 'the series has no labels');
    const most = Math.min(limits.labels_per_series || MOST_LABELS, MOST_LABELS);
    if (count > most) {
      throw poison(
        'too_many_labels',
        `the series has ${count} labels, more than the limit of ${most} (worker.limits.labels_per_series)`,
      );
    }
    refuseDuplicates(labels);
    this.#remember(view, start, end);
  }

  /** Length of the field at `position` if it equals the plain field at `index` of the previous series; else 0. */
  #sameAsBefore(view: DataView, position: number, end: number, index: number): number {
    if (index >= this.#before.length) return 0;
    const from = this.#beforeStarts[index]!;
    const length = this.#beforeEnds[index]! - from;
    if (length <= 0 || position + length > end) return 0;
    return equalBytes(view, position, this.#beforeView, from, length) ? length : 0;
  }

  /** Keeps this series as the previous one of the next. */
  #remember(view: DataView, start: number, end: number): void {
    const length = end - start;
    const has = this.#beforeBytes.length;
    if (length > has || (has > KEPT_BYTES && length * 2 <= KEPT_BYTES)) {
      this.#beforeBytes = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, length * 2));
      this.#beforeView = viewOf(this.#beforeBytes);
    }
    copyBytes(view, start, this.#beforeView, 0, length);
    this.#before = this.labels;
    const [starts, ends] = [this.#beforeStarts, this.#beforeEnds];
    this.#beforeStarts = this.#starts;
    this.#beforeEnds = this.#ends;
    this.#starts = starts;
    this.#ends = ends;
  }

  #growPlaces(): void {
    const size = this.#starts.length * 2;
    const grown = (places: Int32Array<ArrayBuffer>) => {
      const larger = new Int32Array(size);
      larger.set(places);
      return larger;
    };
    this.#starts = grown(this.#starts);
    this.#ends = grown(this.#ends);
    this.#beforeStarts = grown(this.#beforeStarts);
    this.#beforeEnds = grown(this.#beforeEnds);
  }

  /**
   * Index of this Label object in the series decoded last, if its field is plain; else -1. The search begins at `hint`,
   * so that looking up the labels in their order takes linear time.
   */
  find(label: Label, hint = 0): number {
    let index = this.labels.indexOf(label, hint);
    if (index < 0 && hint > 0) index = this.labels.lastIndexOf(label, hint - 1);
    return index >= 0 && this.#beforeEnds[index]! < 0 ? -1 : index;
  }

  /** First byte of the field of a label that `find` has found. */
  fieldStart(index: number): number {
    return this.#base + this.#beforeStarts[index]!;
  }

  fieldEnd(index: number): number {
    return this.#base + this.#beforeEnds[index]!;
  }

  /** Reads one label field and returns its end. */
  #field(position: number, end: number, index: number, limits: LabelLimits): number {
    const plainEnd = this.#plainField(position, end, index, limits);
    if (plainEnd >= 0) return plainEnd;
    const field = new ProtobufReader(this.bytes, position, end);
    field.next();
    if (field.field !== TIME_SERIES.labels) throw malformed(`field ${field.field} among the labels`);
    field.expect(BYTES, 'TimeSeries.labels');
    const from = field.block();
    this.#label(from, field.position, index, limits);
    this.#ends[index] = this.#base - field.position;
    return field.position;
  }

  /** Reads a plain field: name, then value, nothing else, so that its bytes can be copied. -1 if it is not plain. */
  #plainField(position: number, end: number, index: number, limits: LabelLimits): number {
    const stop = this.#partEnd(TAG_FIELD_1, position, end);
    if (stop < 0 || stop > end) return -1;
    const from = this.#contentStart(position);
    const nameEnd = this.#partEnd(0x0a, from, stop);
    if (nameEnd < 0 || this.#partEnd(0x12, nameEnd, stop) !== stop) return -1;
    const name = this.#name(this.#contentStart(from), nameEnd, index, limits);
    const value = this.#value(this.#contentStart(nameEnd), stop, limits);
    if (name === '') throw noName(value);
    this.labels[index] = { name, value };
    this.#ends[index] = stop - this.#base;
    return stop;
  }

  /** Reads one Label message; the last of repeated fields wins, as everywhere in protobuf. */
  #label(from: number, to: number, index: number, limits: LabelLimits): void {
    let name = '';
    let value = '';
    const reader = new ProtobufReader(this.bytes, from, to);
    while (reader.next()) {
      if (reader.field === LABEL.name) {
        reader.expect(BYTES, 'Label.name');
        const begin = reader.block();
        name = this.#name(begin, reader.position, index, limits);
      } else if (reader.field === LABEL.value) {
        reader.expect(BYTES, 'Label.value');
        const begin = reader.block();
        value = this.#value(begin, reader.position, limits);
      } else reader.skip();
    }
    if (name === '') throw noName(value);
    this.labels[index] = { name, value };
  }

  /** End of the field at `position`; -1 if it has another tag or its length takes more than two bytes. */
  #partEnd(tag: number, position: number, to: number): number {
    if (position + 1 >= to || this.bytes[position] !== tag) return -1;
    const b0 = this.bytes[position + 1]!;
    if (b0 < 0x80) return position + 2 + b0;
    const b1 = this.bytes[position + 2]!;
    // With a second byte of 0 the length is not in its shortest form.
    return position + 2 < to && b1 > 0 && b1 < 0x80 ? position + 3 + ((b0 & 0x7f) | (b1 << 7)) : -1;
  }

  /** Start of the content of a field whose length takes at most two bytes. */
  #contentStart(position: number): number {
    return position + (this.bytes[position + 1]! < 0x80 ? 2 : 3);
  }

  /** Decodes a label name: nearly always the one at `index` of the previous series. */
  #name(begin: number, stop: number, index: number, { label_name_bytes: most }: LabelLimits): string {
    limitBytes('label_name_too_long', 'a label name', stop - begin, most, 'label_name_bytes');
    const before = this.#before[index]?.name;
    return before !== undefined && this.#isAsciiText(before, begin, stop) ? before : this.#text(begin, stop);
  }

  #value(begin: number, stop: number, { label_value_bytes: most }: LabelLimits): string {
    limitBytes('label_value_too_long', 'a label value', stop - begin, most, 'label_value_bytes');
    return this.#text(begin, stop);
  }

  #isAsciiText(text: string, begin: number, stop: number): boolean {
    if (text.length !== stop - begin) return false;
    for (let i = 0; i < text.length; i++) {
      const byte = this.bytes[begin + i]!;
      if (byte >= 0x80 || byte !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  #text(begin: number, stop: number): string {
    if (isAscii(this.bytes, begin, stop)) return this.bytes.toString('latin1', begin, stop);
    try {
      return decoder.decode(this.bytes.subarray(begin, stop));
    } catch {
      throw poison(
        'invalid_utf8',
        `a label has bytes that are not UTF-8: ${quoteBytes(this.bytes.subarray(begin, stop), QUOTED_BYTES)}`,
      );
    }
  }
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0;
  for (let i = start; i < end; i++) all |= bytes[i]!;
  return all < 0x80;
}

function refuseDuplicates(labels: Labels): void {
  // Sorted names, as the specification has them, show duplicates side by side; else a set is needed.
  for (let i = 1; i < labels.length; i++) {
    const name = labels[i]!.name;
    const before = labels[i - 1]!.name;
    if (name > before) continue;
    if (name === before) throw duplicate(name);
    const seen = new Set<string>();
    for (const label of labels) {
      if (seen.has(label.name)) throw duplicate(label.name);
      seen.add(label.name);
    }
    return;
  }
}

function duplicate(name: string): PoisonError {
  return poison('duplicate_label', `the label name ${JSON.stringify(name)} is there more than once`);
}

function noName(value: string): PoisonError {
  return poison('empty_label_name', `a label without a name, value ${JSON.stringify(value)}`);
}

function limitBytes(reason: string, what: string, bytes: number, limit: number, key: string): void {
  if (limit > 0 && bytes > limit) {
    throw poison(
      reason,
      `${what} has ${bytes} bytes, more than the limit of ${limit} (worker.limits.${key})`,
    );
  }
}

function poison(reason: string, message: string): PoisonError {
  return new PoisonError('decode', reason, message);
}
