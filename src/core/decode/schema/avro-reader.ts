import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../../model/errors.ts';
import type { RecordBudget } from '../record-budget.ts';
import type { AvroType } from './avro-schema.ts';
import { decimalText } from './decimal.ts';
import { Instant, type InstantUnit } from './instant.ts';
import {
  DICTIONARY,
  DICTIONARY_ENTRY,
  ITEM,
  OBJECT,
  objectBytes,
  TEXT,
  ValueBudget,
} from './value-budget.ts';
import type { WriterSchema } from './writer-schema.ts';

type Read = (cursor: Cursor) => unknown;

/** Deepest nesting of records, lists and maps: more than any schema of metrics has, and far from a stack overflow. */
const MAX_DEPTH = 100;

/**
 * Reads Avro's binary encoding (Avro 1.12 specification, "Binary encoding"). Every read stays within the body, and a
 * list has no more items than the body has bytes.
 *
 * Longs beyond 2^53 are bigint; the value of a union is never wrapped in the name of its branch. Of logical types,
 * decimals and UUIDs become text, dates and timestamps an `Instant`; any other is read as its underlying type.
 */
export function avroSchema(type: AvroType): WriterSchema {
  const read = compile(type, new Map());
  return {
    read: (body, start, { budget } = {}) => {
      const cursor = new Cursor(body, start, budget);
      const value = read(cursor);
      if (cursor.position !== body.length) {
        throw malformed(cursor.position, `${body.length - cursor.position} bytes are left over`);
      }
      return value;
    },
  };
}

/** `known` ends the recursion of types that contain themselves. */
function compile(type: AvroType, known: Map<AvroType, { read: Read }>): Read {
  const before = known.get(type);
  if (before !== undefined) return (cursor) => before.read(cursor);
  const entry: { read: Read } = { read: unfinished };
  known.set(type, entry);
  entry.read = reader(type, (inner) => compile(inner, known));
  return entry.read;
}

function unfinished(): never {
  throw new Error('an Avro type was read before it was compiled');
}

function reader(type: AvroType, compiled: (inner: AvroType) => Read): Read {
  switch (type.kind) {
    case 'null':
      return () => null;
    case 'boolean':
      return (cursor) => cursor.byte() !== 0;
    case 'long':
      return long(type.unit);
    case 'float':
      return (cursor) => cursor.body.readFloatLE(cursor.take(4));
    case 'double':
      return (cursor) => cursor.body.readDoubleLE(cursor.take(8));
    case 'bytes':
      return decimal((cursor) => cursor.bytes(cursor.length()), type.scale);
    case 'bigDecimal':
      return bigDecimal;
    case 'string':
      return (cursor) => cursor.text();
    case 'fixed': {
      const { size, scale, uuid } = type;
      if (uuid) return (cursor) => uuidText(cursor.bytes(size));
      return decimal((cursor) => cursor.bytes(size), scale);
    }
    case 'enum':
      return choice(
        'enum',
        type.symbols.map((symbol) => () => symbol),
      );
    case 'union':
      return choice('union', type.branches.map(compiled));
    case 'array':
      return list(compiled(type.items));
    case 'map':
      return map(compiled(type.items));
    case 'record':
      return record(type.fields.map(({ name, type: field }) => ({ name, read: compiled(field) })));
  }
}

function long(unit: InstantUnit | undefined): Read {
  if (unit === undefined) return (cursor) => cursor.long();
  return (cursor) => {
    cursor.values.take(OBJECT);
    return new Instant(cursor.long(), unit);
  };
}

/** A decimal that is too long for a number stays bytes, which a mapping does not accept as one. */
function decimal(bytes: (cursor: Cursor) => Buffer, scale: number | undefined): Read {
  if (scale === undefined) return bytes;
  return (cursor) => {
    const unscaled = bytes(cursor);
    return decimalText(unscaled, scale) ?? unscaled;
  };
}

/** Avro 1.12's `big-decimal`, whose scale is in its bytes: `bytes` of the integer, then an `int`. */
function bigDecimal(cursor: Cursor): unknown {
  const bytes = cursor.bytes(cursor.length());
  const inner = new Cursor(bytes, 0, undefined);
  const unscaled = inner.bytes(inner.length());
  return decimalText(unscaled, Number(inner.long())) ?? bytes;
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function choice(what: string, branches: readonly Read[]): Read {
  return (cursor) => {
    const at = cursor.position;
    const branch = branches[Number(cursor.long())];
    if (branch === undefined) throw malformed(at, `the ${what} has no such branch`);
    return branch(cursor);
  };
}

function list(item: Read): Read {
  return (cursor) => {
    const items: unknown[] = [];
    cursor.enter(OBJECT);
    for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount()) {
      for (let i = 0; i < count; i++) {
        cursor.values.take(ITEM);
        items.push(item(cursor));
      }
    }
    cursor.depth--;
    return items;
  };
}

function map(value: Read): Read {
  return (cursor) => {
    // Without a prototype, so that a key such as __proto__ is a key.
    const object: Record<string, unknown> = Object.create(null);
    cursor.enter(DICTIONARY);
    for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount()) {
      for (let i = 0; i < count; i++) {
        cursor.values.take(DICTIONARY_ENTRY);
        const key = cursor.text();
        object[key] = value(cursor);
      }
    }
    cursor.depth--;
    return object;
  };
}

function record(fields: readonly { readonly name: string; readonly read: Read }[]): Read {
  const size = objectBytes(fields.length);
  // On a plain object `__proto__` would not be a field.
  const isPlain = !fields.some(({ name }) => name === '__proto__');
  return (cursor) => {
    const object: Record<string, unknown> = isPlain ? {} : Object.create(null);
    cursor.enter(size);
    for (const { name, read } of fields) object[name] = read(cursor);
    cursor.depth--;
    return object;
  };
}

/** A position in a body, with counts of what has been read. */
class Cursor {
  readonly body: Buffer;
  readonly values: ValueBudget;
  position: number;
  depth = 0;
  /** Items of lists and maps so far, at most one per byte of the body: claiming items of size 0 costs no bytes. */
  #items = 0;

  constructor(body: Buffer, start: number, budget: RecordBudget | undefined) {
    this.body = body;
    this.position = start;
    this.values = new ValueBudget(budget);
  }

  /** @param size memory of the object entered, in bytes */
  enter(size: number): void {
    this.values.take(size);
    if (++this.depth > MAX_DEPTH) throw malformed(this.position, `more than ${MAX_DEPTH} levels`);
  }

  byte(): number {
    return this.body[this.take(1)]!;
  }

  /** Moves on by `count` bytes, which must be there; returns their start. */
  take(count: number): number {
    const at = this.position;
    if (count > this.body.length - at) {
      throw malformed(at, `${count} bytes were expected and ${this.body.length - at} are left`);
    }
    this.position = at + count;
    return at;
  }

  bytes(count: number): Buffer {
    const at = this.take(count);
    this.values.take(DICTIONARY);
    return this.body.subarray(at, at + count);
  }

  text(): string {
    const length = this.length();
    const at = this.take(length);
    this.values.take(TEXT + length);
    const text = this.body.toString('utf8', at, at + length);
    // U+FFFD comes from bytes that are not UTF-8, or stands in the text itself.
    if (text.includes('\ufffd') && !isUtf8(this.body.subarray(at, at + length))) {
      throw malformed(at, 'text is no UTF-8');
    }
    return text;
  }

  /** Zigzag varint of up to 64 bits. */
  long(): number | bigint {
    const start = this.position;
    let value = 0;
    for (let scale = 1; scale <= 2 ** 42; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    let wide = BigInt(value);
    for (let shift = 49n; ; shift += 7n) {
      const byte = this.byte();
      if (shift > 63n) throw malformed(start, 'a number has more than 10 bytes');
      wide |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const bits = BigInt.asUintN(64, wide);
    const signed = (bits >> 1n) ^ -(bits & 1n);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  /** Length of the bytes or text that follows. */
  length(): number {
    const at = this.position;
    const length = Number(this.long());
    if (length < 0) throw malformed(at, `a length of ${length}`);
    return length;
  }

  /** Items of the next block; 0 at the end of the list. */
  blockCount(): number {
    const at = this.position;
    let count = Number(this.long());
    if (count < 0) {
      count = -count;
      this.long(); // the block's size in bytes
    }
    this.#items += count;
    if (this.#items > this.body.length) throw malformed(at, `a list claims ${count} items`);
    return count;
  }
}

function malformed(position: number, what: string): PoisonError {
  return new PoisonError(
    'decode',
    'avro',
    `the record is no Avro of the schema that it names: ${what} at byte ${position}`,
  );
}
