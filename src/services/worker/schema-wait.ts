import type { IngestLimits } from '../../core/decode/decoder.ts';
import type { DecoderRegistry } from '../../core/decode/registry.ts';
import type { SchemaId } from '../../core/decode/schema/writer-schema.ts';
import { errorMessage, RetryableError } from '../../core/model/errors.ts';
import type { RecordHeaders } from '../../core/record/headers.ts';
import type { AssignedPartition, Taken } from '../../io/kafka/group/assigned-partition.ts';
import { RegistryClient } from '../../io/registry/client.ts';
import type { RegistryOptions } from '../../io/registry/options.ts';
import { SchemaStore } from '../../io/registry/store.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;

/** Most time that the search for schema ids may hold the thread: some records have to be decompressed for it. */
const LOOK_MS = 500;

/** A partition that waits for the registry. */
export interface WaitingPartition {
  readonly topic: string;
  readonly partition: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly reason: string;
}

/** Ids of the schemas that records name, with the number of records. */
export class NamedSchemas {
  readonly #counts = new Map<SchemaId, number>();

  /** A record that throws here names no schema: it throws in decoding too, and is set aside there. */
  look(
    { value, headers }: { readonly value: Buffer | null; readonly headers: RecordHeaders },
    decoders: DecoderRegistry,
    limits: IngestLimits,
  ): void {
    try {
      const id = value === null ? undefined : decoders.schemaId(value, { headers, limits });
      if (id !== undefined) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    } catch {
      // See above.
    }
  }

  /** Most frequent first. */
  get ids(): readonly SchemaId[] {
    if (this.#counts.size < 2) return [...this.#counts.keys()];
    return [...this.#counts].sort(([, one], [, other]) => other - one).map(([id]) => id);
  }
}

/**
 * Fetches the schemas that a step's records name before the step runs, since a step does no I/O.
 *
 * While the registry is down or hangs, partitions that need a new schema wait: they commit nothing, their queues fill
 * up and they stop fetching. The others go on.
 */
export class SchemaWait {
  /** The fetched schemas, for the decoders. */
  readonly store: SchemaStore;
  readonly #client: RegistryClient;
  readonly #log: Logger;
  readonly #systemMs: () => number;
  readonly #waiting = new Map<AssignedPartition, WaitingPartition>();
  readonly #closed = new AbortController();

  private constructor(client: RegistryClient, missingTtlMs: number, log: Logger, systemMs: () => number) {
    this.#systemMs = systemMs;
    this.#client = client;
    this.store = new SchemaStore((id) => client.fetch(id), { missingTtlMs });
    this.#log = log;
  }

  /** Undefined where no registry is configured. @throws ConfigError when a certificate or key file cannot be used */
  static open(options: RegistryOptions, log: Logger, systemMs: () => number): SchemaWait | undefined {
    const { url, missing_ttl } = options;
    if (url === undefined) return undefined;
    return new SchemaWait(new RegistryClient({ ...options, url }), missing_ttl, log, systemMs);
  }

  /** The partitions that wait now. */
  get waiting(): readonly WaitingPartition[] {
    return [...this.#waiting.values()];
  }

  /**
   * Fetches the schemas of the first of these records, at least one.
   *
   * @returns number of records that can be decoded; 0 if the partition is lost or drains, or this is closed, before
   *   their schemas are there
   */
  async ready(
    partition: AssignedPartition,
    { records }: Taken,
    decoders: DecoderRegistry,
    limits: IngestLimits,
  ): Promise<number> {
    const named = new NamedSchemas();
    const endMs = monotonicMs() + LOOK_MS;
    let count = 0;
    do named.look(records[count++]!, decoders, limits);
    while (count < records.length && monotonicMs() < endMs);
    const { ids } = named;
    if (ids.length === 0) return count;
    try {
      return (await this.#fetched(partition, ids)) ? count : 0;
    } finally {
      this.#waiting.delete(partition);
    }
  }

  async #fetched(partition: AssignedPartition, ids: readonly SchemaId[]): Promise<boolean> {
    const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    for (;;) {
      try {
        await this.store.ensure(ids);
        this.#answered(partition);
        return partition.active;
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error;
        await this.#pause(partition, errorMessage(error), Math.round(backoff.next()));
        if (!partition.active || this.#closed.signal.aborted) return false;
      }
    }
  }

  #answered(held: AssignedPartition): void {
    if (!this.#waiting.has(held)) return;
    const { topic, partition } = held;
    this.#log.info({ topic, partition }, 'the schema registry answers; the partition goes on');
  }

  async #pause(held: AssignedPartition, reason: string, retryInMs: number): Promise<void> {
    const { topic, partition } = held;
    const sinceMs = this.#waiting.get(held)?.sinceMs ?? this.#systemMs();
    this.#waiting.set(held, { topic, partition, sinceMs, reason });
    this.#log.warn(
      { topic, partition, error: reason, retryInMs },
      'a schema cannot be fetched; the partition waits for the registry (registry.url) and nothing is lost',
    );
    await sleep(retryInMs, AbortSignal.any([held.ending, this.#closed.signal]));
  }

  /** Ends all waits: `ready` returns 0. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#client.close();
  }
}
