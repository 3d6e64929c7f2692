import type { SchemaId } from '../../core/decode/schema/writer-schema.ts';
import { PoisonError } from '../../core/model/errors.ts';
import type { RegisteredSchema, SchemaReference } from './answer.ts';

/** A schema referenced by another. */
export interface ReferencedSchema {
  /** The name in the reference; in Protobuf a file name. */
  readonly name: string;
  readonly text: string;
}

/** Most references, in total; no real schema has as many. */
const MAX_REFERENCES = 500;
/** Most characters of a schema with its references. Registries on Kafka accept 1 MiB per schema. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Concurrent requests. */
const AT_ONCE = 8;

/**
 * Fetches the references of a schema, transitively, each name once. If two schemas refer to different versions of a
 * third, the reference nearest to the schema itself wins, since a name can have one meaning only.
 *
 * @param get fetches the schema at a path
 * @throws PoisonError `schema` when they are too many or too large; what `get` throws
 */
export async function fetchReferences(
  id: SchemaId,
  schema: RegisteredSchema,
  get: (path: string) => Promise<RegisteredSchema>,
): Promise<readonly ReferencedSchema[]> {
  const found: ReferencedSchema[] = [];
  const seen = new Set<string>();
  let characters = schema.schema.length;
  const waiting = [...referencesOf(schema)];
  while (waiting.length > 0) {
    const next = waiting.splice(0, AT_ONCE).filter(({ name }) => !seen.has(name) && seen.add(name));
    const fetched = await Promise.all(
      next.map(({ subject, version }) => get(`/subjects/${encodeURIComponent(subject)}/versions/${version}`)),
    );
    for (const [at, each] of fetched.entries()) {
      found.push({ name: next[at]!.name, text: each.schema });
      characters += each.schema.length;
      waiting.push(...referencesOf(each));
    }
    if (seen.size > MAX_REFERENCES) throw tooLarge(id, `refers to more than ${MAX_REFERENCES} schemas`);
    if (characters > MAX_CHARACTERS) throw tooLarge(id, `is larger than ${MAX_CHARACTERS} characters`);
  }
  if (characters > MAX_CHARACTERS) throw tooLarge(id, `is larger than ${MAX_CHARACTERS} characters`);
  return found;
}

function referencesOf({ references }: RegisteredSchema): readonly SchemaReference[] {
  return Array.isArray(references) ? references.filter(isReference) : [];
}

function isReference(value: unknown): value is SchemaReference {
  if (typeof value !== 'object' || value === null) return false;
  const { name, subject, version } = value as Record<string, unknown>;
  return typeof name === 'string' && typeof subject === 'string' && Number.isInteger(version);
}

function tooLarge(id: SchemaId, what: string): PoisonError {
  return new PoisonError('decode', 'schema', `schema ${id} cannot be used: it ${what}`);
}
