import type { SchemaId, SchemaSource, WriterSchema } from '../../core/decode/schema/writer-schema.ts';
import { PoisonError, RetryableError } from '../../core/model/errors.ts';
import { monotonicMs } from '../time/clock.ts';

/** Most schemas kept, and most unusable ids. A topic has a handful; garbage that looks like an id has any number. */
const KEPT = 20_000;
/** Concurrent requests. */
const AT_ONCE = 8;
/** Ids are signed 32-bit numbers, and none is negative. */
const MAX_ID = 0x7fffffff;
/**
 * Most requests for unusable ids per `missing_ttl`, or per minute if that is longer. Any producer can make up ids, and
 * each costs a request; beyond this number unknown ids are refused without one.
 */
const MAX_UNKNOWN = 10_000;
const MIN_WINDOW_MS = 60_000;
/** Most ids remembered as refused: more than the records of one step. */
const MAX_REFUSED = 2_000_000;

export interface SchemaStoreOptions {
  /** How long an unusable id is remembered, in ms: it may be registered later. */
  readonly missingTtlMs: number;
  readonly now?: () => number;
}

/** Cache of schemas by id. Schemas never change, so they are kept; missing ids are remembered for a while. */
export class SchemaStore implements SchemaSource {
  readonly #fetch: (id: SchemaId) => Promise<WriterSchema>;
  readonly #missingTtlMs: number;
  readonly #now: () => number;
  readonly #schemas = new Map<SchemaId, WriterSchema>();
  readonly #missing = new Map<SchemaId, { error: PoisonError; until: number }>();
  readonly #pending = new Map<SchemaId, Promise<void>>();
  readonly #refused = new Set<SchemaId>();
  #unknown = { since: 0, count: 0 };

  /** @param fetch throws PoisonError for an unusable id, RetryableError while that is not known */
  constructor(fetch: (id: SchemaId) => Promise<WriterSchema>, options: SchemaStoreOptions) {
    this.#fetch = fetch;
    this.#missingTtlMs = options.missingTtlMs;
    this.#now = options.now ?? monotonicMs;
  }

  schema(id: SchemaId): WriterSchema {
    const schema = this.#schemas.get(id);
    if (schema !== undefined) return schema;
    if (isImpossible(id)) throw noId(id);
    const missing = this.#missing.get(id);
    if (missing !== undefined) throw missing.error;
    if (this.#refused.has(id)) throw notAsked(id);
    throw new RetryableError(`schema ${id} has not been fetched`);
  }

  /**
   * Resolves when `schema` has an answer for every id, a schema or a PoisonError.
   *
   * @param ids most important first: after too many unusable ids the rest are refused without a request
   * @throws RetryableError when the registry did not answer; answers received so far stay known
   */
  async ensure(ids: Iterable<SchemaId>): Promise<void> {
    const wanted = [...ids].filter((id) => !this.#isKnown(id));
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      if (this.#isFlooded()) return this.#refuse(wanted.slice(at));
      const settled = await Promise.allSettled(wanted.slice(at, at + AT_ONCE).map((id) => this.#once(id)));
      for (const result of settled) if (result.status === 'rejected') throw result.reason;
    }
  }

  #isKnown(id: SchemaId): boolean {
    if (this.#schemas.has(id) || isImpossible(id)) return true;
    const missing = this.#missing.get(id);
    return missing !== undefined && missing.until > this.#now();
  }

  /** Concurrent requests for the same id share one. */
  #once(id: SchemaId): Promise<void> {
    const pending = this.#pending.get(id) ?? this.#ask(id).finally(() => this.#pending.delete(id));
    this.#pending.set(id, pending);
    return pending;
  }

  async #ask(id: SchemaId): Promise<void> {
    try {
      this.#refused.delete(id);
      keep(this.#schemas, id, await this.#fetch(id));
      this.#missing.delete(id);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      this.#unknown.count++;
      keep(this.#missing, id, { error, until: this.#now() + this.#missingTtlMs });
    }
  }

  #isFlooded(): boolean {
    const now = this.#now();
    const window = Math.max(this.#missingTtlMs, MIN_WINDOW_MS);
    if (now - this.#unknown.since >= window) this.#unknown = { since: now, count: 0 };
    return this.#unknown.count >= MAX_UNKNOWN;
  }

  #refuse(ids: readonly SchemaId[]): void {
    for (const id of ids) {
      this.#refused.delete(id);
      this.#refused.add(id);
      if (this.#refused.size > MAX_REFUSED) this.#refused.delete(this.#refused.values().next().value!);
    }
  }
}

function isImpossible(id: SchemaId): id is number {
  return typeof id === 'number' && (id > MAX_ID || id === 0);
}

function noId(id: number): PoisonError {
  const apicurio =
    id === 0
      ? ': registries count from 1. Serializers of Apicurio write ids of 8 bytes unless they are told to write those of Confluent'
      : '';
  return new PoisonError('decode', 'schema_id', `${id} is no id of a schema${apicurio}`);
}

function notAsked(id: SchemaId): PoisonError {
  const why = `the registry does not have more than ${MAX_UNKNOWN} others that were named in short time (registry.missing_ttl)`;
  return new PoisonError('decode', 'schema_id', `schema ${id} was not asked for: ${why}`);
}

/** Inserts an entry and evicts the oldest beyond `KEPT`. */
function keep<T>(map: Map<SchemaId, T>, id: SchemaId, value: T): void {
  map.delete(id);
  map.set(id, value);
  if (map.size > KEPT) map.delete(map.keys().next().value!);
}
