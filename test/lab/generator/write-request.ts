/** Remote write 1.0 requests, encoded by plain code that shares nothing with src. */
import { compressSync } from 'snappy';

export interface SeriesToWrite {
  /** Names and values, in the order of the request. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly (readonly [timeMs: number, value: number])[];
}

/** A series for each name, with one sample. */
export function namedSeries(names: readonly string[]): SeriesToWrite[] {
  return names.map((name) => ({ labels: [['__name__', name]], samples: [[1_760_000_000_000, 1]] }));
}

/** As sent: snappy. */
export function writeRequest(series: Iterable<SeriesToWrite>): Buffer {
  return compressed(encodeWriteRequest(series));
}

/** The body in snappy. */
export function compressed(body: Buffer): Buffer {
  return compressSync(body, { copyOutputData: true });
}

/** The same before compression. */
export function encodeWriteRequest(series: Iterable<SeriesToWrite>): Buffer {
  const out = new Writer();
  for (const { labels, samples } of series) {
    const labelSizes = labels.map(([name, value]) => fieldSize(textSize(name)) + fieldSize(textSize(value)));
    const sampleSizes = samples.map(([timeMs]) => 10 + varintSize(timeMs));
    out.field(
      1,
      LENGTH_DELIMITED,
      [...labelSizes, ...sampleSizes].reduce((sum, size) => sum + fieldSize(size), 0),
    );
    for (const [at, [name, value]] of labels.entries()) {
      out.field(1, LENGTH_DELIMITED, labelSizes[at]!);
      out.text(1, name);
      out.text(2, value);
    }
    for (const [at, [timeMs, value]] of samples.entries()) {
      out.field(2, LENGTH_DELIMITED, sampleSizes[at]!);
      out.double(1, value);
      out.field(2, VARINT, timeMs);
    }
  }
  return out.finish();
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
/** The most bytes that a field takes beside its text. */
const HEAD_BYTES = 16;

const textSize = (text: string) => Buffer.byteLength(text);
/** Size of a field with so many bytes in it, tag and length included. */
const fieldSize = (size: number) => 1 + varintSize(size) + size;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

class Writer {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;

  /** A tag, and the varint behind it: the value, or the length of what follows. */
  field(number: number, wireType: number, value: number): void {
    this.#reserve(HEAD_BYTES);
    this.#bytes[this.#length++] = number * 8 + wireType;
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  text(number: number, text: string): void {
    const size = textSize(text);
    this.field(number, LENGTH_DELIMITED, size);
    this.#reserve(size);
    this.#length += this.#bytes.write(text, this.#length);
  }

  double(number: number, value: number): void {
    this.#reserve(HEAD_BYTES);
    this.#bytes[this.#length++] = number * 8 + FIXED64;
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    this.#bytes = Buffer.concat([this.#bytes], 2 * (this.#length + more));
  }
}
