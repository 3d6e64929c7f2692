import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

/** A `.proto` file within a root. */
export interface ProtobufFile {
  /** Where its messages are: its package, or the root. */
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

/** Characters of a file and those that it imports; and what one message, enum or other block may have in it. */
const MAX_CHARACTERS = 1024 * 1024;
const MAX_STATEMENTS = 2000;
/** Comments, text, and what begins, ends or counts a statement. An end that is missing is the end of the file. */
const TOKENS = /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:[^"\\\n]|\\.)*|'(?:[^'\\\n]|\\.)*|[{};,]/g;

/**
 * Refuses schemas whose taking apart would hold the thread: protobufjs takes time with the square of what a message has.
 *
 * @throws RangeError
 */
export function refuseOversize(schemas: readonly string[]): void {
  const characters = schemas.reduce((sum, { length }) => sum + length, 0);
  if (characters > MAX_CHARACTERS) throw new RangeError(`it has more than ${MAX_CHARACTERS} characters`);
  for (const schema of schemas) {
    if (isDescriptor(schema)) continue;
    const statements = [0];
    for (const [token] of schema.matchAll(TOKENS)) {
      if (token === '{') statements.push(0);
      else if (token === '}') statements.pop();
      else if (token === ';' || token === ',') refuseMore((statements[statements.length - 1]! += 1));
    }
  }
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
 * of its FileDescriptorProto, which clients of Python and C register. Some registries give that back as it came.
 *
 * Names of fields stay as they are written. Extensions are not looked at.
 *
 * @throws Error where it is neither
 */
export function addProtobufFile(root: protobuf.Root, schema: string): ProtobufFile {
  if (isDescriptor(schema)) return addDescriptor(root, Buffer.from(schema, 'base64'));
  const { package: name, imports = [] } = protobuf.parse(schema, root, { keepCase: true });
  return { space: name === undefined ? root : (root.lookup(name) as protobuf.Namespace), imports };
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
