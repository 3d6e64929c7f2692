import type { SchemaId } from '../../core/decode/schema/writer-schema.ts';
import { PoisonError } from '../../core/model/errors.ts';
import type { RegisteredSchema, SchemaReference } from './answer.ts';

/** A schema that another refers to. */
export interface ReferencedSchema {
  /** The name by which it is referred to: of a file in Protobuf. */
  readonly name: string;
  readonly text: string;
}

/** More than any schema has. */
const MAX_REFERENCES = 500;
/** Characters of a schema together with those that it refers to. A registry in Kafka takes 1 MiB a schema. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Schemas asked for at once. */
const AT_ONCE = 8;

/**
 * The schemas that one refers to, and those that they refer to, each name once: where two of them refer to different
 * versions of a third, the reference that is nearest to the schema itself counts, as one name can mean one thing only.
 *
 * @param get fetches what the registry has at a path
 * @throws PoisonError `schema` where they are too many or too large, and what `get` throws
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
