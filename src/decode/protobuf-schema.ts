import protobuf from 'protobufjs';
import { errorMessage, PoisonError } from '../model/errors.ts';
import { addProtobufFile } from './protobuf-file.ts';
import type { WriterSchema } from './writer-schema.ts';

/** Message indexes of one record; message definitions are not nested deeper. */
const MAX_INDEXES = 20;

type Plain = (message: Readonly<Record<string, unknown>>) => Record<string, unknown>;

/**
 * Reads Protobuf records of one `.proto` file. In front of the message stand its indexes: which message of the file,
 * which message within that, and so on (docs.confluent.io, "Wire format": zigzag varints, their number first; a single
 * 0 stands for the first message).
 *
 * Field names are those of the file. A field that `required` asks for may be missing all the same: whoever needs it
 * says so. Fields with presence that are not there are absent, the others have their default.
 *
 * @param text as it is registered: see `addProtobufFile`
 * @param references the files that it imports, likewise. Google's well-known types need not be among them.
 * @throws Error where they are no Protobuf, or use a type that none of them has
 */
export function protobufSchema(
  text: string,
  references: readonly { readonly name: string; readonly text: string }[],
): WriterSchema {
  const messages = parseMessages(text, references);
  const readers = new Map<string, { type: protobuf.Type; plain: Plain }>();
  const plains = new Map<protobuf.Type, Plain>();
  return {
    read: (body, start) => {
      const { indexes, end } = readIndexes(body, start);
      const key = indexes.join('.');
      let reader = readers.get(key);
      if (reader === undefined) {
        const type = messageAt(messages, indexes);
        reader = { type, plain: plainOf(type, plains) };
        readers.set(key, reader);
      }
      return reader.plain(decode(reader.type, body.subarray(end)));
    },
  };
}

/** The messages at the top of the file, in its order. */
function parseMessages(
  text: string,
  references: readonly { readonly name: string; readonly text: string }[],
): protobuf.Type[] {
  const root = new protobuf.Root();
  const { space, imports } = addProtobufFile(root, text);
  const messages = space.nestedArray.filter(isType);
  const imported = [...imports];
  for (const { text: reference } of references) imported.push(...addProtobufFile(root, reference).imports);
  for (const file of new Set(imported)) {
    const common = protobuf.common.get(file);
    if (common?.nested) root.addJSON(common.nested);
  }
  eachType(root, (type) => {
    // protobufjs would refuse the whole record where one of its series lacks a field.
    for (const field of type.fieldsArray) if (field.rule === 'required') delete field.rule;
  });
  root.resolveAll();
  return messages;
}

function isType(object: protobuf.ReflectionObject): object is protobuf.Type {
  return object instanceof protobuf.Type;
}

function eachType(space: protobuf.NamespaceBase, visit: (type: protobuf.Type) => void): void {
  for (const nested of space.nestedArray) {
    if (isType(nested)) visit(nested);
    if (nested instanceof protobuf.Namespace) eachType(nested, visit);
  }
}

function readIndexes(body: Buffer, start: number): { indexes: readonly number[]; end: number } {
  const reader = protobuf.Reader.create(body);
  reader.pos = start;
  try {
    const count = reader.sint32();
    if (count < 0 || count > MAX_INDEXES) throw new RangeError(`${count} of them`);
    const indexes = count === 0 ? [0] : Array.from({ length: count }, () => reader.sint32());
    return { indexes, end: reader.pos };
  } catch (error) {
    throw refusal('protobuf_index', `the message indexes cannot be read: ${errorMessage(error)}`, error);
  }
}

function messageAt(messages: readonly protobuf.Type[], indexes: readonly number[]): protobuf.Type {
  let among = messages;
  let found: protobuf.Type | undefined;
  for (const index of indexes) {
    found = among[index];
    if (found === undefined) {
      throw refusal('protobuf_index', `its schema has no message with the indexes ${indexes.join(', ')}`);
    }
    among = found.nestedArray.filter(isType);
  }
  return found!;
}

function decode(type: protobuf.Type, bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    return type.decode(bytes) as unknown as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refusal('protobuf', `the record is no ${type.fullName}: ${errorMessage(error)}`, error);
  }
}

/** How messages of a type become plain objects. `known` ends the recursion of types that hold themselves. */
function plainOf(type: protobuf.Type, known: Map<protobuf.Type, Plain>): Plain {
  const before = known.get(type);
  if (before !== undefined) return before;
  let fields: readonly { name: string; absent: unknown; read: (value: unknown) => unknown }[] = [];
  const plain: Plain = (message) => {
    const object: Record<string, unknown> = {};
    for (const { name, absent, read } of fields) {
      if (Object.hasOwn(message, name)) object[name] = read(message[name]);
      else if (absent !== undefined) object[name] = absent;
    }
    return object;
  };
  known.set(type, plain);
  fields = type.fieldsArray.map((field) => {
    const one = plainValue(field, known);
    const { name } = field;
    if (field.map) return { name, absent: {}, read: (value) => mapValues(value as object, one) };
    if (field.repeated) return { name, absent: [], read: (value) => (value as unknown[]).map(one) };
    // protobufjs knows presence of scalars only.
    const mayBeAbsent = field.hasPresence || field.resolvedType instanceof protobuf.Type;
    return { name, absent: mayBeAbsent ? undefined : one(field.defaultValue), read: one };
  });
  return plain;
}

function mapValues(map: object, one: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, one(value)]));
}

function plainValue(field: protobuf.Field, known: Map<protobuf.Type, Plain>): (value: unknown) => unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) {
    const plain = plainOf(resolvedType, known);
    return (value) => plain(value as Readonly<Record<string, unknown>>);
  }
  if (resolvedType instanceof protobuf.Enum) {
    const names = resolvedType.valuesById;
    return (value) => names[value as number] ?? value;
  }
  return (value) => (isLong(value) ? longNumber(value) : value);
}

interface Long {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
}

function isLong(value: unknown): value is Long {
  return typeof value === 'object' && value !== null && 'high' in value && 'unsigned' in value;
}

function longNumber({ low, high, unsigned }: Long): number | bigint {
  const number = (unsigned ? high >>> 0 : high) * 2 ** 32 + (low >>> 0);
  if (Number.isSafeInteger(number)) return number;
  return (BigInt(unsigned ? high >>> 0 : high) << 32n) | BigInt(low >>> 0);
}

function refusal(reason: string, what: string, cause?: unknown): PoisonError {
  return new PoisonError('decode', reason, what, cause === undefined ? undefined : { cause });
}
