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

/**
 * Adds a schema to `root` in either of the forms in which it is registered: the text of a `.proto` file, or the base64
 * of its FileDescriptorProto, which clients of Python and C register. Some registries give that back as it came.
 *
 * Names of fields stay as they are written. Extensions are not looked at.
 *
 * @throws Error where it is neither
 */
export function addProtobufFile(root: protobuf.Root, schema: string): ProtobufFile {
  if (BASE64.test(schema.trim())) return addDescriptor(root, Buffer.from(schema, 'base64'));
  const { package: name, imports = [] } = protobuf.parse(schema, root, { keepCase: true });
  return { space: name === undefined ? root : (root.lookup(name) as protobuf.Namespace), imports };
}

function addDescriptor(root: protobuf.Root, bytes: Buffer): ProtobufFile {
  const file = descriptor.FileDescriptorProto.decode(bytes);
  const space = file.package ? root.define(file.package) : root;
  const edition = EDITIONS[Number(file.edition)] ?? (file.syntax || 'proto2');
  const context = { edition, keepCase: true };
  for (const message of file.messageType ?? []) space.add(protobuf.Type.fromDescriptor(message, context));
  for (const one of file.enumType ?? []) space.add(protobuf.Enum.fromDescriptor(one, context));
  return { space, imports: file.dependency ?? [] };
}
