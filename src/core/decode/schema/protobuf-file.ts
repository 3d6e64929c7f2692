import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

/** A `.proto` file within a root. */
export interface ProtobufFile {
  /** Namespace of its messages: its package, or the root. */
  readonly space: protobuf.NamespaceBase;
  readonly imports: readonly string[];
}

/** No `.proto` text is of these characters alone: it has at least a semicolon. */
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** google/protobuf/descriptor.proto, enum Edition. A file without one says `syntax`. */
const EDITIONS: Readonly<Record<number, string>> = {
  998: 'proto2',
  999: 'proto3',
  1000: '2023',
  1001: '2024',
};

/** Most characters of a file and its imports, and most statements of one message, enum or other block. */
const MAX_CHARACTERS = 1024 * 1024;
const MAX_STATEMENTS = 2000;
/** Most of the sum, over all blocks, of their statements squared: two full blocks, or any number of ordinary ones. */
const MAX_SQUARES = 2 * MAX_STATEMENTS ** 2;
/**
 * Comments, strings, and characters that begin, end or separate statements or entries of options. A comment without an
 * end extends to the end of the file; a quote alone begins a string without an end.
 */
const TOKENS = /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|["'{};,:]/g;

/**
 * Refuses schemas that would block the thread when parsed: protobufjs takes time quadratic in the size of a message.
 *
 * @throws RangeError
 */
export function refuseOversize(schemas: readonly string[]): void {
  const characters = schemas.reduce((sum, { length }) => sum + length, 0);
  if (characters > MAX_CHARACTERS) throw new RangeError(`it has more than ${MAX_CHARACTERS} characters`);
  const texts = schemas.filter((schema) => !isDescriptor(schema));
  const squares = texts.reduce((sum, schema) => sum + squaresOf(schema), 0);
  if (squares > MAX_SQUARES) throw new RangeError('its messages and other blocks have too many statements');
}

/** The sum, over all blocks, of their statements squared. */
function squaresOf(schema: string): number {
  const blocks = [0];
  let squares = 0;
  for (const [token] of schema.matchAll(TOKENS)) {
    // protobufjs searches for the end again after each escaped quote.
    if (token === '"' || token === "'") throw new RangeError('it has a text without an end');
    if (token.length > 1) continue;
    if (token === '}') blocks.pop();
    // The number of messages in a file is not limited.
    else if (token !== '{' || blocks.length > 1) {
      const statements = (blocks.pop() ?? 0) + 1;
      refuseMore(statements);
      squares += 2 * statements - 1;
      blocks.push(statements);
    }
    if (token === '{') blocks.push(0);
  }
  return squares;
}

function refuseMore(statements: number): void {
  if (statements > MAX_STATEMENTS) {
    throw new RangeError(`a message or another block of it has more than ${MAX_STATEMENTS} statements`);
  }
}

function isDescriptor(schema: string): boolean {
  return BASE64.test(schema.trim());
}

/**
 * Adds a schema to `root` in either of the forms in which it is registered: the text of a `.proto` file, or the base64
 * of its FileDescriptorProto, which clients of Python and C register. Some registries return that unchanged.
 *
 * Names of fields are kept as written. Extensions are ignored.
 *
 * @throws Error if it is neither
 */
export function addProtobufFile(root: protobuf.Root, schema: string): ProtobufFile {
  if (isDescriptor(schema)) return addDescriptor(root, Buffer.from(schema, 'base64'));
  const { package: name, imports = [], weakImports = [] } = protobuf.parse(schema, root, { keepCase: true });
  return {
    space: name === undefined ? root : (root.lookup(name) as protobuf.Namespace),
    imports: [...imports, ...weakImports],
  };
}

function addDescriptor(root: protobuf.Root, bytes: Buffer): ProtobufFile {
  const file = descriptor.FileDescriptorProto.decode(bytes);
  refuseFields(file.messageType ?? []);
  const space = file.package ? root.define(file.package) : root;
  const edition = EDITIONS[Number(file.edition)] ?? (file.syntax || 'proto2');
  const context = { edition, keepCase: true };
  for (const message of file.messageType ?? []) space.add(protobuf.Type.fromDescriptor(message, context));
  for (const one of file.enumType ?? []) space.add(protobuf.Enum.fromDescriptor(one, context));
  return { space, imports: file.dependency ?? [] };
}

interface DescribedMessage {
  readonly field?: readonly unknown[] | null;
  readonly nestedType?: readonly DescribedMessage[] | null;
}

function refuseFields(messages: readonly DescribedMessage[]): void {
  for (const { field, nestedType } of messages) {
    refuseMore(field?.length ?? 0);
    refuseFields(nestedType ?? []);
  }
}
