import protobuf from 'protobufjs';
import { errorMessage, PoisonError } from '../../model/errors.ts';
import { ProtobufReader } from '../../wire/protobuf-reader.ts';
import { addProtobufFile, refuseOversize } from './protobuf-file.ts';
import { addBuiltIn } from './protobuf-imports.ts';
import { MessageType, type ProtobufMessage } from './protobuf-message.ts';
import { ValueBudget } from './value-budget.ts';
import type { ReadHow, WriterSchema } from './writer-schema.ts';

/** Result of one way to read a record. */
interface Attempt {
  readonly type: MessageType;
  readonly message: ProtobufMessage;
  readonly known: number;
  readonly unknown: number;
}

/**
 * Reads Protobuf records of one `.proto` file. The message is preceded by its indexes, which say which message of the
 * file it is; see `readIndexes`. Some clients omit them and mean the first message: the record then begins with the tag
 * of a field, which indexes rarely do. It is read that way only if the first message has all of its fields, and the
 * message that the bytes name as indexes does not.
 *
 * Field names are those of the file.
 *
 * @param text as it is registered: see `addProtobufFile`
 * @param references the files that it imports, likewise. Those that registries have built in may be left out.
 * @throws Error if they are not Protobuf
 */
export function protobufSchema(
  text: string,
  references: readonly { readonly name: string; readonly text: string }[],
): WriterSchema {
  const messages = parseMessages(text, references);
  const types = new Map<protobuf.Type, MessageType>();
  return { read: (body, start, how = {}) => new RecordOf(messages, types, body, start, how).read() };
}

/** One record, with the ways to read it. */
class RecordOf {
  readonly #messages: readonly protobuf.Type[];
  readonly #types: Map<protobuf.Type, MessageType>;
  readonly #body: Buffer;
  readonly #start: number;
  readonly #how: ReadHow;
  readonly #values: ValueBudget;

  constructor(
    messages: readonly protobuf.Type[],
    types: Map<protobuf.Type, MessageType>,
    body: Buffer,
    start: number,
    how: ReadHow,
  ) {
    this.#messages = messages;
    this.#types = types;
    this.#body = body;
    this.#start = start;
    this.#how = how;
    this.#values = new ValueBudget(how.budget);
  }

  read(): ProtobufMessage {
    const { indexes: apart } = this.#how;
    if (apart !== undefined && apart.length === 0) return this.#plausible(this.#withoutIndexes());
    const told = this.#attempt(() => this.#told(true));
    if (isClean(told)) return told.message;
    const isTag = apart === undefined && mayBeginWithTag(this.#body, this.#start);
    const other = this.#attempt(() => (isTag ? this.#withoutIndexes() : this.#told(false)));
    if (isClean(other) && other.known > 0) return other.message;
    if (told instanceof PoisonError) throw told;
    return this.#plausible(told);
  }

  /** The message that the indexes name. */
  #told(zigzag: boolean): Attempt {
    const { indexes: apart } = this.#how;
    const { list, end, fault } = readIndexes(
      apart ?? this.#body,
      apart === undefined ? this.#start : 0,
      zigzag,
    );
    if (fault !== undefined) throw refusal('protobuf_index', `the message indexes cannot be read: ${fault}`);
    return this.#readAs(messageAt(this.#messages, list), apart === undefined ? end : this.#start);
  }

  #withoutIndexes(): Attempt {
    return this.#readAs(messageAt(this.#messages, [0]), this.#start);
  }

  #readAs(found: protobuf.Type, start: number): Attempt {
    const type = this.#compiled(found);
    const reading = { values: this.#values, depth: 0, known: 0, unknown: 0 };
    try {
      const message = type.read(new ProtobufReader(this.#body, start), reading);
      return { type, message, known: reading.known, unknown: reading.unknown };
    } catch (error) {
      if (!(error instanceof PoisonError) || error.reason !== 'protobuf') throw error;
      throw refusal('protobuf', `the record is no ${type.name}: ${error.message}`, error);
    }
  }

  #compiled(type: protobuf.Type): MessageType {
    const made = this.#types.get(type);
    if (made !== undefined) return made;
    // Compiled into a copy, so that a failure leaves no half-compiled types.
    const types = new Map(this.#types);
    try {
      const compiled = MessageType.of(type, types);
      for (const [each, reader] of types) this.#types.set(each, reader);
      return compiled;
    } catch (error) {
      throw refusal(
        'schema',
        `message ${type.fullName} of its schema cannot be used: ${errorMessage(error)}`,
      );
    }
  }

  #attempt(way: () => Attempt): Attempt | PoisonError {
    try {
      return way();
    } catch (error) {
      const isOfBytes = error instanceof PoisonError && /^protobuf/.test(error.reason);
      if (!isOfBytes) throw error;
      return error;
    }
  }

  /** Refuses a record with more unknown than known fields: it is not of this schema. */
  #plausible({ type, message, known, unknown }: Attempt): ProtobufMessage {
    if (unknown <= known) return message;
    const what = `${unknown} of its ${known + unknown} fields are not fields of the message, or have other types there`;
    throw refusal('protobuf', `the record is no ${type.name}: ${what}`);
  }
}

function isClean(attempt: Attempt | PoisonError): attempt is Attempt {
  return !(attempt instanceof PoisonError) && attempt.unknown === 0;
}

/** The top-level messages of the file, in its order. */
function parseMessages(
  text: string,
  references: readonly { readonly name: string; readonly text: string }[],
): protobuf.Type[] {
  refuseOversize([text, ...references.map((reference) => reference.text)]);
  const root = new protobuf.Root();
  const { space, imports } = addProtobufFile(root, text);
  const messages = space.nestedArray.filter(isType);
  const imported = [...imports];
  for (const reference of references) imported.push(...addProtobufFile(root, reference.text).imports);
  const known = new Set(references.map(({ name }) => name));
  for (const file of imported) addBuiltIn(root, file, known);
  removeServices(root);
  // Extensions of options that are missing, as in Confluent's `meta.proto`, do not matter for reading.
  root.deferred = [];
  try {
    root.resolveAll();
  } catch {
    // A missing type matters only to the messages that use it: `MessageType` resolves those again.
  }
  return messages;
}

function removeServices(space: protobuf.NamespaceBase): void {
  for (const nested of space.nestedArray) {
    if (nested instanceof protobuf.Service) space.remove(nested);
    else if (nested instanceof protobuf.Namespace || isType(nested)) removeServices(nested);
  }
}

function isType(object: protobuf.ReflectionObject): object is protobuf.Type {
  return object instanceof protobuf.Type;
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

function refusal(reason: string, what: string, cause?: unknown): PoisonError {
  return new PoisonError('decode', reason, what, cause === undefined ? undefined : { cause });
}

/** Most message indexes of one record: message definitions do not nest deeper. */
const MAX_INDEXES = 20;
/** The smallest tag: field 1, wire type 0. */
const FIRST_TAG = 8;

interface MessageIndexes {
  readonly list: readonly number[];
  /** Start of the message. */
  readonly end: number;
  /** Why they cannot be read. */
  readonly fault?: string;
}

/** Whether the first byte may be the tag of a field, so that there may be no indexes at all. */
function mayBeginWithTag(bytes: Buffer, start: number): boolean {
  return (bytes[start] ?? 0) >= FIRST_TAG;
}

/**
 * The indexes in front of a message: which message of the file, which message within that, and so on
 * (docs.confluent.io, "Wire format"): zigzag varints, their number first; a single 0 stands for the first message.
 *
 * @param zigzag false: as clients for Python, Go and .NET once wrote them
 */
function readIndexes(bytes: Buffer, start: number, zigzag = true): MessageIndexes {
  const reader = new ProtobufReader(bytes, start);
  const next = () => {
    const value = reader.varint();
    if (!zigzag) return value;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  try {
    const count = next();
    if (count < 0 || count > MAX_INDEXES) throw new RangeError(`${count} of them`);
    return { list: count === 0 ? [0] : Array.from({ length: count }, next), end: reader.position };
  } catch (error) {
    return { list: [], end: start, fault: errorMessage(error) };
  }
}
