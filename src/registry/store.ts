import type { SchemaSource, WriterSchema } from '../decode/writer-schema.ts';
import { PoisonError, RetryableError } from '../model/errors.ts';

/** Schemas kept, and ids kept that are of no use. A topic has a handful; garbage that looks like an id has any. */
const KEPT = 20_000;
/** Schemas asked for at once. */
const AT_ONCE = 8;
/** Ids are signed 32-bit numbers, and none is negative. */
const MAX_ID = 0x7fffffff;

export interface SchemaStoreOptions {
  /** How long an id that is of no use is remembered, in ms: it may be registered later. */
  readonly missingTtlMs: number;
  readonly now?: () => number;
}

/** Schemas by id. A schema never changes, so what has been fetched once is kept; so is, for a while, what there is not. */
export class SchemaStore implements SchemaSource {
  readonly #fetch: (id: number) => Promise<WriterSchema>;
  readonly #missingTtlMs: number;
  readonly #now: () => number;
  readonly #schemas = new Map<number, WriterSchema>();
  readonly #missing = new Map<number, { error: PoisonError; until: number }>();
  readonly #pending = new Map<number, Promise<void>>();

  /** @param fetch throws PoisonError where the id is of no use, RetryableError where that is not known */
  constructor(fetch: (id: number) => Promise<WriterSchema>, options: SchemaStoreOptions) {
    this.#fetch = fetch;
    this.#missingTtlMs = options.missingTtlMs;
    this.#now = options.now ?? Date.now;
  }

  schema(id: number): WriterSchema {
    const schema = this.#schemas.get(id);
    if (schema !== undefined) return schema;
    if (id > MAX_ID) throw new PoisonError('decode', 'schema_id', `${id} is no id of a schema`);
    const missing = this.#missing.get(id);
    if (missing !== undefined) throw missing.error;
    throw new RetryableError(`schema ${id} has not been fetched`);
  }

  /**
   * Resolves when `schema` knows about every id, be it that there is none.
   *
   * @throws RetryableError when the registry could not be asked; ids that it has answered for stay known
   */
  async ensure(ids: Iterable<number>): Promise<void> {
    const wanted = [...ids].filter((id) => !this.#isKnown(id));
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      const settled = await Promise.allSettled(wanted.slice(at, at + AT_ONCE).map((id) => this.#once(id)));
      for (const result of settled) if (result.status === 'rejected') throw result.reason;
    }
  }

  #isKnown(id: number): boolean {
    if (this.#schemas.has(id) || id > MAX_ID) return true;
    const missing = this.#missing.get(id);
    return missing !== undefined && missing.until > this.#now();
  }

  /** Partitions that need the same schema at once share the request. */
  #once(id: number): Promise<void> {
    const pending = this.#pending.get(id) ?? this.#ask(id).finally(() => this.#pending.delete(id));
    this.#pending.set(id, pending);
    return pending;
  }

  async #ask(id: number): Promise<void> {
    try {
      keep(this.#schemas, id, await this.#fetch(id));
      this.#missing.delete(id);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      keep(this.#missing, id, { error, until: this.#now() + this.#missingTtlMs });
    }
  }
}

/** Puts an entry in; the oldest makes room. */
function keep<T>(map: Map<number, T>, id: number, value: T): void {
  map.delete(id);
  map.set(id, value);
  if (map.size > KEPT) map.delete(map.keys().next().value!);
}
