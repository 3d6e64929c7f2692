import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../model/errors.ts';
import { NO_FAULTS, type WriterSchema } from './writer-schema.ts';

/** What is needed of a parsed Avro schema; avsc's Type has all of it. */
export interface AvroType {
  readonly typeName: string;
  readonly fields?: readonly { readonly name: string; readonly type: AvroType }[];
  readonly itemsType?: AvroType;
  readonly valuesType?: AvroType;
  readonly types?: readonly AvroType[];
  readonly symbols?: readonly string[];
  readonly size?: number;
  readonly underlyingType?: AvroType;
}

type Read = (cursor: Cursor) => unknown;

/** Records within records; deeper than any schema of metrics, and far from the end of the stack. */
const MAX_DEPTH = 100;

/**
 * Reads Avro's binary encoding (Avro 1.12 specification, "Binary encoding") with checks that avsc does not make:
 * every read stays within the body, and a list has no more items than the body has bytes. Longs beyond 2^53 are
 * bigint, the value of a union is never wrapped in the name of its branch, a logical type is what it is made of.
 *
 * Throws TypeError for a type that Avro does not have.
 */
export function avroSchema(type: AvroType): WriterSchema {
  const read = compile(type, new Map());
  return {
    read: (body, start) => {
      const cursor = new Cursor(body, start);
      const value = read(cursor);
      if (cursor.position !== body.length) {
        throw malformed(cursor.position, `${body.length - cursor.position} bytes are left over`);
      }
      return { value, faults: NO_FAULTS };
    },
  };
}

/** `known` ends the recursion of types that hold themselves. */
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
  const kind = type.typeName.split(':')[0];
  switch (kind) {
    case 'null':
      return () => null;
    case 'boolean':
      return (cursor) => cursor.byte() !== 0;
    case 'int':
    case 'long':
    case 'abstract':
      return (cursor) => cursor.long();
    case 'float':
      return (cursor) => cursor.body.readFloatLE(cursor.take(4));
    case 'double':
      return (cursor) => cursor.body.readDoubleLE(cursor.take(8));
    case 'bytes':
      return (cursor) => cursor.bytes(cursor.length());
    case 'string':
      return (cursor) => cursor.text();
    case 'fixed': {
      const size = type.size!;
      return (cursor) => cursor.bytes(size);
    }
    case 'enum':
      return choice(
        'enum',
        type.symbols!.map((symbol) => () => symbol),
      );
    case 'union':
      return choice('union', type.types!.map(compiled));
    case 'array':
      return list(compiled(type.itemsType!));
    case 'map':
      return map(compiled(type.valuesType!));
    case 'record':
    case 'error':
      return record(type.fields!.map(({ name, type: field }) => ({ name, read: compiled(field) })));
    case 'logical':
      return compiled(type.underlyingType!);
    default:
      throw new TypeError(`Avro type ${type.typeName} is not known`);
  }
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
    cursor.enter();
    for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount()) {
      for (let i = 0; i < count; i++) items.push(item(cursor));
    }
    cursor.depth--;
    return items;
  };
}

function map(value: Read): Read {
  return (cursor) => {
    // Without a prototype, so that a key such as __proto__ is a key.
    const object: Record<string, unknown> = Object.create(null);
    cursor.enter();
    for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount()) {
      for (let i = 0; i < count; i++) {
        const key = cursor.text();
        object[key] = value(cursor);
      }
    }
    cursor.depth--;
    return object;
  };
}

function record(fields: readonly { readonly name: string; readonly read: Read }[]): Read {
  return (cursor) => {
    const object: Record<string, unknown> = {};
    cursor.enter();
    for (const { name, read } of fields) object[name] = read(cursor);
    cursor.depth--;
    return object;
  };
}

/** A place in a body, and what has been taken from it. */
class Cursor {
  readonly body: Buffer;
  position: number;
  depth = 0;
  /** Items of lists and maps so far, at most one a byte: items of no size would otherwise cost nothing to claim. */
  #items = 0;

  constructor(body: Buffer, start: number) {
    this.body = body;
    this.position = start;
  }

  enter(): void {
    if (++this.depth > MAX_DEPTH) throw malformed(this.position, `more than ${MAX_DEPTH} levels`);
  }

  byte(): number {
    return this.body[this.take(1)]!;
  }

  /** Moves on by `count` bytes, which must be there; returns where they begin. */
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
    return this.body.subarray(at, at + count);
  }

  text(): string {
    const length = this.length();
    const at = this.take(length);
    const text = this.body.toString('utf8', at, at + length);
    // Only what is no UTF-8, or that character itself, has it.
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

  /** Length of what follows. */
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
