import { compareByBytes } from '../hash/byte-order.ts';
import type { Label, Labels } from '../model/labels.ts';
import { ByteSink } from '../wire/byte-sink.ts';
import type { LabelBlock } from '../wire/label-block.ts';
import { varintLength } from '../wire/write-request-builder.ts';

/** Encoded output labels of a route, in `[0, length)`. The second next call of `encode` overwrites them. */
export interface EncodedLabels {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly length: number;
}

const FIRST_BYTES = 16 * 1024;
/** A longer list of labels is dropped when its buffer is used again. */
const KEPT_LABELS = 256;
/** Labels of up to so many UTF-16 units are tried as ASCII first, with room reserved for their worst case. */
const SHORT_UNITS = 4096;
/** Room for the tags and lengths of one label. */
const HEADS_BYTES = 32;
/** Stands for the task label, instead of an index into the labels. */
const TASK = -1;

/**
 * Encodes the output labels of one route: those after relabeling, with the task label in place of any of that name, in
 * byte order of their names, as remote write asks.
 *
 * Fast path: consecutive series have the same label names and share most values. So the order of the previous series is
 * reused, and labels equal to its label at the same place are copied in encoded form, a whole run at a time. The plain
 * twin, which encodes label by label, is in the tests.
 */
export class OutputEncoder {
  readonly #name: string;
  /** The label of each task, made when it is first needed. */
  readonly #taskLabels: Label[] = [];
  /** Label names of the previous series, and the order of the output: indexes into them, or TASK. */
  #names: string[] = [];
  #order: number[] = [];
  #current = new EncodedFields();
  #before = new EncodedFields();

  constructor(taskLabel: string) {
    this.#name = taskLabel;
  }

  /** `received`: the labels as they came, in `raw`; one that relabeling left unchanged is copied from there. */
  encode(labels: Labels, task: number, received: LabelBlock, raw: DataView): EncodedLabels {
    if (!this.#sameNames(labels)) {
      this.#names = labels.map(({ name }) => name);
      this.#order = outputOrder(this.#names, this.#name);
    }
    const taskLabel = (this.#taskLabels[task] ??= { name: this.#name, value: String(task) });
    const before = this.#current;
    const current = this.#before;
    this.#current = current;
    this.#before = before;
    const order = this.#order;
    current.begin();
    // The labels in [from, at) are as before, and not copied yet.
    let from = 0;
    let hint = 0;
    for (let at = 0; at < order.length; at++) {
      const index = order[at]!;
      const label = index === TASK ? taskLabel : labels[index]!;
      if (before.has(at, label)) continue;
      current.copyFields(before, from, at);
      from = at + 1;
      const place = received.find(label, hint);
      if (place < 0) current.encode(label);
      else {
        current.copy(label, raw, received.fieldStart(place), received.fieldEnd(place));
        hint = place + 1;
      }
    }
    current.copyFields(before, from, order.length);
    return current.encoded;
  }

  #sameNames(labels: Labels): boolean {
    const names = this.#names;
    if (labels.length !== names.length) return false;
    for (let i = 0; i < names.length; i++) if (labels[i]!.name !== names[i]) return false;
    return true;
  }
}

function outputOrder(names: readonly string[], taskLabel: string): number[] {
  const order = [TASK];
  names.forEach((name, index) => {
    if (name !== taskLabel) order.push(index);
  });
  const nameOf = (index: number) => (index === TASK ? taskLabel : names[index]!);
  return order.sort((a, b) => compareByBytes(nameOf(a), nameOf(b)));
}

/** The encoded output labels of one series, one after the other. */
class EncodedFields {
  readonly #sink = new ByteSink(FIRST_BYTES);
  readonly #labels: Label[] = [];
  readonly #ends: number[] = [];
  #count = 0;

  get encoded(): EncodedLabels {
    return this.#sink;
  }

  begin(): void {
    this.#count = 0;
    this.#sink.clear();
    if (this.#labels.length > KEPT_LABELS) this.#labels.length = this.#ends.length = 0;
  }

  /** Whether the label at `index` is this one. */
  has(index: number, label: Label): boolean {
    if (index >= this.#count) return false;
    const own = this.#labels[index]!;
    return own === label || (own.name === label.name && own.value === label.value);
  }

  /** Appends the fields `[from, to)` of another series. */
  copyFields(other: EncodedFields, from: number, to: number): void {
    if (from >= to) return;
    const start = from === 0 ? 0 : other.#ends[from - 1]!;
    const moved = this.#sink.length - start;
    this.#sink.copy(other.#sink.view, start, other.#ends[to - 1]! - start);
    for (let at = from; at < to; at++) this.#append(other.#labels[at]!, other.#ends[at]! + moved);
  }

  /** Appends a label whose field is `[start, end)` of `raw`. */
  copy(label: Label, raw: DataView, start: number, end: number): void {
    this.#sink.copy(raw, start, end - start);
    this.#append(label, this.#sink.length);
  }

  /** Appends a label. */
  encode(label: Label): void {
    const { name, value } = label;
    const start = this.#sink.length;
    const units = name.length + value.length;
    const isShort = units <= SHORT_UNITS;
    // A UTF-16 unit takes three bytes at most in UTF-8.
    this.#sink.reserve(
      HEADS_BYTES + (isShort ? 3 * units : Buffer.byteLength(name) + Buffer.byteLength(value)),
    );
    if (!isShort || !this.#encodeAscii(name, value)) {
      this.#sink.length = start;
      this.#encodeText(name, value);
    }
    this.#append(label, this.#sink.length);
  }

  /**
   * False if a text is not ASCII; the field is then half written.
   * Fast path: crossing into C++ for two short texts costs more than writing them here; `#encodeText` is its twin.
   */
  #encodeAscii(name: string, value: string): boolean {
    this.#heads(name.length, value.length);
    if (!this.#ascii(name)) return false;
    this.#sink.head(0x12, value.length);
    return this.#ascii(value);
  }

  #ascii(text: string): boolean {
    const { bytes, length: start } = this.#sink;
    let all = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      all |= unit;
      bytes[start + i] = unit;
    }
    this.#sink.length = start + text.length;
    return all < 0x80;
  }

  #encodeText(name: string, value: string): void {
    const valueLength = Buffer.byteLength(value);
    this.#heads(Buffer.byteLength(name), valueLength);
    this.#text(name);
    this.#sink.head(0x12, valueLength);
    this.#text(value);
  }

  #text(text: string): void {
    this.#sink.length += this.#sink.bytes.write(text, this.#sink.length);
  }

  /** Tags and lengths up to the name. */
  #heads(nameLength: number, valueLength: number): void {
    const size = 2 + varintLength(nameLength) + varintLength(valueLength) + nameLength + valueLength;
    this.#sink.head(0x0a, size);
    this.#sink.head(0x0a, nameLength);
  }

  #append(label: Label, end: number): void {
    this.#labels[this.#count] = label;
    this.#ends[this.#count] = end;
    this.#count++;
  }
}
