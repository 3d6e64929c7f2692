import protobuf from 'protobufjs';
import {
  BYTES,
  END_GROUP,
  malformed,
  ProtobufReader,
  START_GROUP,
  VARINT,
} from '../../wire/protobuf-reader.ts';
import { MEANING, meaningOf } from './known-messages.ts';
import { exactInteger, int32, SCALARS } from './protobuf-values.ts';
import { DICTIONARY_ENTRY, ITEM, objectBytes, TEXT, type ValueBudget } from './value-budget.ts';

/** Deepest nesting of messages; far from a stack overflow. */
const MAX_DEPTH = 100;

/** Counts kept while a record is read. */
export interface Reading {
  readonly values: ValueBudget;
  depth: number;
  /** Fields that are in the schema, and fields that are not, or have another wire type there. */
  known: number;
  unknown: number;
}

export type ProtobufMessage = Record<string | symbol, unknown>;

interface Field {
  readonly name: string;
  /** Wire types that it may have: a list of numbers is packed, or has a field for each. */
  readonly wireTypes: readonly number[];
  readonly take: (message: ProtobufMessage, reader: ProtobufReader, reading: Reading) => void;
  /** Its value if it is missing; undefined: it stays absent. */
  readonly absent: (() => unknown) | undefined;
}

/** Reads one value; `before` is the value that the field had. */
type ReadValue = (reader: ProtobufReader, reading: Reading, before: unknown) => unknown;

/** Reads messages of one type, field by field, without generated code. */
export class MessageType {
  readonly name: string;
  readonly #fields = new Map<number, Field>();
  readonly #absent: (readonly [name: string, value: () => unknown])[] = [];
  readonly #size: number;
  readonly #meaning: ((message: ProtobufMessage) => unknown) | undefined;
  readonly #extensions: readonly (readonly number[])[];

  private constructor(type: protobuf.Type, known: Map<protobuf.Type, MessageType>) {
    known.set(type, this);
    this.name = type.fullName.replace(/^\./, '');
    this.#size = objectBytes(type.fieldsArray.length);
    this.#meaning = meaningOf(type.fullName);
    this.#extensions = type.extensions ?? [];
    for (const each of type.fieldsArray) {
      const field = isThere(each) ? fieldOf(each, known) : rawField(each.name);
      this.#fields.set(each.id, field);
      if (field.absent !== undefined) this.#absent.push([field.name, field.absent]);
    }
  }

  /** `known` ends the recursion of types that contain themselves. */
  static of(type: protobuf.Type, known: Map<protobuf.Type, MessageType>): MessageType {
    return known.get(type) ?? new MessageType(type, known);
  }

  /**
   * Reads fields until the end of the reader, or of the group.
   *
   * @param before an earlier occurrence of the same field, into which this one is merged
   * @param group number of the field, if it is a group
   */
  read(reader: ProtobufReader, reading: Reading, before?: ProtobufMessage, group?: number): ProtobufMessage {
    if (++reading.depth > MAX_DEPTH) throw malformed(`messages nest deeper than ${MAX_DEPTH} levels`);
    reading.values.take(this.#size);
    const message = before ?? this.#empty();
    while (true) {
      if (!reader.next()) {
        if (group !== undefined) throw malformed(`group ${group} has no end`);
        break;
      }
      if (reader.wireType === END_GROUP) {
        if (reader.field === group) break;
        throw malformed(`a group ends at byte ${reader.fieldStart} that did not begin`);
      }
      this.#readField(message, reader, reading);
    }
    reading.depth--;
    if (this.#meaning !== undefined) message[MEANING] = this.#meaning(message);
    return message;
  }

  #readField(message: ProtobufMessage, reader: ProtobufReader, reading: Reading): void {
    const field = this.#fields.get(reader.field);
    if (field?.wireTypes.includes(reader.wireType)) {
      reading.known++;
      field.take(message, reader, reading);
      return;
    }
    if (!this.#isExtension(reader.field)) reading.unknown++;
    reading.values.take(0);
    reader.skip();
  }

  #empty(): ProtobufMessage {
    const message: ProtobufMessage = {};
    for (const [name, value] of this.#absent) message[name] = value();
    return message;
  }

  #isExtension(number: number): boolean {
    return this.#extensions.some(([from = 0, to = 0]) => number >= from && number <= to);
  }
}

/** Whether the type of a field is in the schema or its imports. */
function isThere(field: protobuf.Field): boolean {
  try {
    field.resolve();
    return true;
  } catch {
    return false;
  }
}

/** A field of a missing type: a message stays bytes, the value of an enum a number. */
function rawField(name: string): Field {
  return {
    name,
    wireTypes: [VARINT, BYTES],
    take: (message, reader, { values }) => {
      values.take(TEXT);
      if (reader.wireType === VARINT) message[name] = int32(reader);
      else {
        const start = reader.block();
        message[name] = reader.bytes.subarray(start, reader.position);
      }
    },
    absent: undefined,
  };
}

function fieldOf(field: protobuf.Field, known: Map<protobuf.Type, MessageType>): Field {
  const { name } = field;
  const [wireType, read] = singleOf(field, known);
  if (field instanceof protobuf.MapField) return mapOf(field, wireType, read);
  if (field.repeated) return listOf(name, wireType, read);
  const others = field.partOf?.oneof.filter((other) => other !== name) ?? [];
  return {
    name,
    wireTypes: [wireType],
    take: (message, reader, reading) => {
      message[name] = read(reader, reading, message[name]);
      for (const other of others) delete message[other];
    },
    absent: defaultOf(field),
  };
}

/**
 * Default of a missing field. Fields with presence stay absent, whatever `required` and a default in the schema say:
 * the mapping reports those it needs. The others have the default of their type. protobufjs knows presence of scalars
 * only.
 */
function defaultOf(field: protobuf.Field): (() => unknown) | undefined {
  const { resolvedType, defaultValue } = field;
  if (resolvedType instanceof protobuf.Type || field.hasPresence) return undefined;
  if (resolvedType instanceof protobuf.Enum) {
    const name = resolvedType.valuesById[defaultValue as number] ?? defaultValue;
    return () => name;
  }
  if (field.bytes) return () => Buffer.from(defaultValue as ArrayLike<number>);
  const value = field.long ? exactInteger(BigInt(String(defaultValue))) : defaultValue;
  return () => value;
}

function singleOf(
  field: protobuf.Field,
  known: Map<protobuf.Type, MessageType>,
): readonly [wireType: number, read: ReadValue] {
  const { resolvedType, id } = field;
  if (resolvedType instanceof protobuf.Type) {
    const type = MessageType.of(resolvedType, known);
    if (field.delimited) {
      return [
        START_GROUP,
        (reader, reading, before) => type.read(reader, reading, before as ProtobufMessage | undefined, id),
      ];
    }
    return [
      BYTES,
      (reader, reading, before) => type.read(reader.message(), reading, before as ProtobufMessage),
    ];
  }
  if (resolvedType instanceof protobuf.Enum) {
    const names = resolvedType.valuesById;
    return [
      VARINT,
      (reader) => {
        const number = int32(reader);
        return names[number] ?? number;
      },
    ];
  }
  const { wireType, read } = SCALARS.get(field.type)!;
  if (wireType !== BYTES) return [wireType, read];
  return [
    wireType,
    (reader, reading) => {
      const start = reader.position;
      const value = read(reader);
      reading.values.take(TEXT + reader.position - start);
      return value;
    },
  ];
}

function listOf(name: string, wireType: number, read: ReadValue): Field {
  const one = (list: unknown[], reader: ProtobufReader, reading: Reading) => {
    reading.values.take(ITEM);
    list.push(read(reader, reading, undefined));
  };
  return {
    name,
    wireTypes: wireType === BYTES || wireType === START_GROUP ? [wireType] : [wireType, BYTES],
    take: (message, reader, reading) => {
      const list = message[name] as unknown[];
      if (reader.wireType === wireType) return one(list, reader, reading);
      const packed = reader.message();
      while (packed.position < packed.end) one(list, packed, reading);
    },
    absent: () => [],
  };
}

function mapOf(field: protobuf.MapField, wireType: number, read: ReadValue): Field {
  const { name } = field;
  const key = SCALARS.get(field.keyType)!;
  const emptyKey = field.keyType === 'string' ? '' : field.keyType === 'bool' ? 'false' : '0';
  const emptyValue = emptyMapValue(field);
  return {
    name,
    wireTypes: [BYTES],
    take: (message, reader, reading) => {
      reading.values.take(DICTIONARY_ENTRY);
      const entry = reader.message();
      let label = emptyKey;
      let value: unknown;
      while (entry.next()) {
        if (entry.field === 1 && entry.wireType === key.wireType) label = String(key.read(entry));
        else if (entry.field === 2 && entry.wireType === wireType) value = read(entry, reading, undefined);
        else entry.skip();
      }
      put(message[name] as ProtobufMessage, label, value === undefined ? emptyValue(reading) : value);
    },
    absent: () => ({}),
  };
}

function emptyMapValue(field: protobuf.MapField): (reading: Reading) => unknown {
  const { resolvedType, type } = field;
  if (resolvedType instanceof protobuf.Type) {
    const known = new Map<protobuf.Type, MessageType>();
    const nothing = new ProtobufReader(Buffer.alloc(0));
    return (reading) => MessageType.of(resolvedType, known).read(nothing, reading);
  }
  if (resolvedType instanceof protobuf.Enum) return () => resolvedType.valuesById[0] ?? 0;
  if (type === 'string') return () => '';
  if (type === 'bytes') return () => Buffer.alloc(0);
  return () => (type === 'bool' ? false : 0);
}

/** Sets a key of a plain object, on which an assignment to `__proto__` would not create a key. */
function put(object: ProtobufMessage, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
