import type { SchemaId } from '../../core/decode/schema/writer-schema.ts';
import { PoisonError, RetryableError } from '../../core/model/errors.ts';

/** Response of the registry. */
export interface RegistryAnswer {
  readonly url: string;
  readonly status: number;
  /** The body, parsed if it is JSON, else as text. */
  readonly data: unknown;
}

/** A schema as sent by a registry: Avro if it names no type. */
export interface RegisteredSchema {
  readonly schemaType?: string | null;
  readonly schema: string;
  readonly references?: readonly SchemaReference[] | null;
}

/** A reference of a schema: the name it uses, and the subject and version in the registry. */
export interface SchemaReference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/**
 * Error codes of a missing subject, version or schema (docs.confluent.io, "Schema Registry API Reference"). A 404
 * without one of these comes from a wrong path, or not from a registry.
 */
const UNKNOWN = new Map([
  [40401, 'subject'],
  [40402, 'version'],
  [40403, 'schema'],
]);
/** Characters of an answer quoted in messages. */
const QUOTED = 200;

/**
 * The schema in an answer to a request for schema `id` or one of its references.
 *
 * @throws PoisonError when the registry works but has no such schema: `schema_id`, or `schema_reference` for a
 *   reference
 * @throws RetryableError for everything that time or an operator may fix: 5xx, 401, 403, and answers no registry gives
 */
export function schemaIn(answer: RegistryAnswer, id: SchemaId): RegisteredSchema {
  const { url, status, data } = answer;
  const unknown = status === 404 ? UNKNOWN.get(errorCode(data)) : undefined;
  if (unknown === 'schema') {
    throw new PoisonError('decode', 'schema_id', `the registry has no schema with the id ${id} (${url})`);
  }
  if (unknown !== undefined) {
    throw new PoisonError(
      'decode',
      'schema_reference',
      `schema ${id} refers to a ${unknown} that the registry does not have (${url})`,
    );
  }
  if (status === 401 || status === 403) {
    const expected = 'expected registry.username and registry.password of a user who may read schemas';
    throw new RetryableError(`${url} answers ${status}: ${shown(data)}; ${expected}`);
  }
  if (status !== 200) {
    const hint = status === 404 ? '; does registry.url have the path of its API?' : '';
    throw new RetryableError(`${url} answers ${status}: ${shown(data)}${hint}`);
  }
  if (!isSchema(data)) {
    throw new RetryableError(`${url} answers with no schema: ${shown(data)}; is registry.url a registry?`);
  }
  return data;
}

/** Whether an answer is a schema, and no error or page of something else. */
export function isSchema(data: unknown): data is RegisteredSchema {
  return isRecord(data) && typeof data.schema === 'string';
}

function errorCode(data: unknown): number {
  return isRecord(data) ? Number(data.error_code) : Number.NaN;
}

function isRecord(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null;
}

function shown(data: unknown): string {
  const said = isRecord(data) && typeof data.message === 'string' ? data.message : data;
  const text = (typeof said === 'string' ? said : (JSON.stringify(said) ?? '')).trim();
  return text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text || 'nothing';
}
