import { PoisonError } from '../model/errors.ts';
import type { Label, Labels } from '../model/labels.ts';
import { copyBytes, equalBytes, viewOf } from './bytes.ts';
import { BYTES, malformed, ProtobufReader } from './protobuf-reader.ts';
import { LABEL, TAG_FIELD_1, TIME_SERIES } from './write-request.ts';

/** What the labels of a series may be; 0 is no limit. */
export interface LabelLimits {
  readonly labels_per_series: number;
  readonly label_name_bytes: number;
  readonly label_value_bytes: number;
}

/**
 * End of the label fields with which the TimeSeries in `[start, end)` begins. Their insides are not looked at.
 * Throws PoisonError `protobuf` where one of them does not end within the series.
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

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The labels of one series, decoded from its label fields and with the place of each kept, so that a label that
 * relabeling leaves alone is written out again as the bytes it came in. One instance is used again and again.
 *
 * Fast path: series that arrive one after the other share most of their labels, since an agent sends one target at a
 * time. So a field whose bytes equal those of the same field of the series before gives the same Label object, and no
 * string is made. That saves 1.8 µs of 5.8 a cold series (bench/README.md); a fresh instance, which knows no series before, is the
 * plain twin in the tests.
 */
export class LabelBlock {
  labels: Label[] = [];
  bytes: Buffer = Buffer.alloc(0);
  /** Per label the first byte of its field, tag included, and the end; the end is negated where the field is not plain. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** The series before: its label fields, and where each begins and ends in them (not negated). */
  #before: Label[] = [];
  #beforeBytes = Buffer.allocUnsafeSlow(4096);
  #beforeView = viewOf(this.#beforeBytes);
  readonly #beforeStarts: number[] = [];
  readonly #beforeEnds: number[] = [];

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
    this.labels = [];
    this.#starts.length = 0;
    this.#ends.length = 0;
    let position = start;
    while (position < end) {
      const index = this.labels.length;
      const same = this.#sameAsBefore(view, position, end, index);
      if (same > 0) {
        this.labels.push(this.#before[index]!);
        this.#starts.push(position);
        this.#ends.push(position + same);
        position += same;
      } else position = this.#field(position, end, limits);
    }
    const count = this.labels.length;
    if (count === 0) throw poison('no_labels', 'the series has no labels');
    if (limits.labels_per_series > 0 && count > limits.labels_per_series) {
      throw poison(
        'too_many_labels',
        `the series has ${count} labels, more than the limit of ${limits.labels_per_series} (ingest.limits.labels_per_series)`,
      );
    }
    refuseDuplicates(this.labels);
    this.#remember(view, start, end);
  }

  /** Length of the field at `position` if it is, byte for byte, the plain field that stood here in the series before; else 0. */
  #sameAsBefore(view: DataView, position: number, end: number, index: number): number {
    if (index >= this.#before.length) return 0;
    const from = this.#beforeStarts[index]!;
    const length = this.#beforeEnds[index]! - from;
    if (length <= 0 || position + length > end) return 0;
    return equalBytes(view, position, this.#beforeView, from, length) ? length : 0;
  }

  /** Keeps this series as the one before the next. */
  #remember(view: DataView, start: number, end: number): void {
    const length = end - start;
    if (length > this.#beforeBytes.length) {
      this.#beforeBytes = Buffer.allocUnsafeSlow(length * 2);
      this.#beforeView = viewOf(this.#beforeBytes);
    }
    copyBytes(view, start, this.#beforeView, 0, length);
    this.#before = this.labels;
    const count = this.labels.length;
    for (let i = 0; i < count; i++) {
      this.#beforeStarts[i] = this.#starts[i]! - start;
      // A field that is not plain has its end before its start here, and so is never taken again.
      this.#beforeEnds[i] = this.#ends[i]! - start;
    }
  }

  /**
   * Index from `hint` on of the received label that equals `label` and came in plain form; -1 where there is none.
   */
  find(label: Label, hint: number): number {
    const { labels } = this;
    for (let i = hint; i < labels.length; i++) {
      const received = labels[i]!;
      if (received === label || (received.name === label.name && received.value === label.value)) {
        return this.#ends[i]! < 0 ? -1 : i;
      }
    }
    return -1;
  }

  fieldStart(index: number): number {
    return this.#starts[index]!;
  }

  fieldEnd(index: number): number {
    return this.#ends[index]!;
  }

  /** Reads one label field and returns its end. */
  #field(position: number, end: number, limits: LabelLimits): number {
    const field = new ProtobufReader(this.bytes, position, end);
    field.next();
    if (field.field !== TIME_SERIES.labels) throw malformed(`field ${field.field} among the labels`);
    field.expect(BYTES, 'TimeSeries.labels');
    const from = field.block();
    const stop = field.position;
    this.#label(from, stop, limits);
    const plain = this.#partEnd(TAG_FIELD_1, position, stop) === stop && this.#plain(from, stop);
    this.#starts.push(position);
    this.#ends.push(plain ? stop : -stop);
    return stop;
  }

  /** Reads one Label message; the last of repeated fields wins, as everywhere in protobuf. */
  #label(from: number, to: number, limits: LabelLimits): void {
    let name = '';
    let value = '';
    const reader = new ProtobufReader(this.bytes, from, to);
    while (reader.next()) {
      if (reader.field === LABEL.name) {
        reader.expect(BYTES, 'Label.name');
        const begin = reader.block();
        const { label_name_bytes: most } = limits;
        limitBytes('label_name_too_long', 'a label name', reader.position - begin, most, 'label_name_bytes');
        name = this.#name(begin, reader.position);
      } else if (reader.field === LABEL.value) {
        reader.expect(BYTES, 'Label.value');
        const begin = reader.block();
        const { label_value_bytes: most } = limits;
        limitBytes(
          'label_value_too_long',
          'a label value',
          reader.position - begin,
          most,
          'label_value_bytes',
        );
        value = this.#text(begin, reader.position);
      } else reader.skip();
    }
    if (name === '')
      throw poison('empty_label_name', `a label without a name, value ${JSON.stringify(value)}`);
    this.labels.push({ name, value });
  }

  /** Whether the Label message is name then value and nothing else, so that its bytes may stand for the two. */
  #plain(from: number, to: number): boolean {
    const nameEnd = this.#partEnd(0x0a, from, to);
    return nameEnd >= 0 && this.#partEnd(0x12, nameEnd, to) === to;
  }

  /** End of the field at `position`; -1 where its tag is another or its length has more than two bytes. */
  #partEnd(tag: number, position: number, to: number): number {
    if (position + 1 >= to || this.bytes[position] !== tag) return -1;
    const b0 = this.bytes[position + 1]!;
    if (b0 < 0x80) return position + 2 + b0;
    const b1 = this.bytes[position + 2]!;
    // A second byte of 0 is a length written longer than it need be.
    return position + 2 < to && b1 > 0 && b1 < 0x80 ? position + 3 + ((b0 & 0x7f) | (b1 << 7)) : -1;
  }

  /** A label name: nearly always that of the label that stood here in the series before. */
  #name(begin: number, stop: number): string {
    const before = this.#before[this.labels.length]?.name;
    return before !== undefined && this.#isAsciiText(before, begin, stop) ? before : this.#text(begin, stop);
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
        `a label has bytes that are not UTF-8: ${this.bytes.toString('utf8', begin, stop)}`,
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

function limitBytes(reason: string, what: string, bytes: number, limit: number, key: string): void {
  if (limit > 0 && bytes > limit) {
    throw poison(
      reason,
      `${what} has ${bytes} bytes, more than the limit of ${limit} (ingest.limits.${key})`,
    );
  }
}

function poison(reason: string, message: string): PoisonError {
  return new PoisonError('decode', reason, message);
}
