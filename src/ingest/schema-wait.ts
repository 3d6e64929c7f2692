import type { IngestLimits } from '../decode/decoder.ts';
import type { DecoderRegistry } from '../decode/registry.ts';
import type { AssignedPartition, Taken } from '../kafka/assigned-partition.ts';
import type { FetchedRecord } from '../kafka/partition-queue.ts';
import { errorMessage, RetryableError } from '../model/errors.ts';
import { Backoff, sleep } from '../model/sleep.ts';
import { RegistryClient } from '../registry/client.ts';
import type { RegistryOptions } from '../registry/options.ts';
import { SchemaStore } from '../registry/store.ts';
import type { Logger } from '../telemetry/log.ts';

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;

/** How long a look at the records of a step may hold the thread: some have to be decompressed for it. */
const LOOK_MS = 500;

/** A partition that waits for the registry. */
export interface WaitingPartition {
  readonly topic: string;
  readonly partition: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly reason: string;
}

/**
 * Sees that the schemas which a step's records name are there before the step runs, since a step does no I/O.
 *
 * While the registry is away or hangs, the partitions that need a new schema of it wait: nothing of theirs is
 * committed, their queues fill up and they fetch no more. The others go on.
 */
export class SchemaWait {
  /** Where the decoders find what has been fetched. */
  readonly store: SchemaStore;
  readonly #client: RegistryClient;
  readonly #log: Logger;
  readonly #waiting = new Map<AssignedPartition, WaitingPartition>();

  private constructor(client: RegistryClient, missingTtlMs: number, log: Logger) {
    this.#client = client;
    this.store = new SchemaStore((id) => client.fetch(id), { missingTtlMs });
    this.#log = log;
  }

  /** Undefined where no registry is configured. @throws ConfigError when a certificate or key file cannot be used */
  static open(options: RegistryOptions, log: Logger): SchemaWait | undefined {
    const { url, missing_ttl } = options;
    if (url === undefined) return undefined;
    return new SchemaWait(new RegistryClient({ ...options, url }), missing_ttl, log);
  }

  /** The partitions that wait now. */
  get waiting(): readonly WaitingPartition[] {
    return [...this.#waiting.values()];
  }

  /**
   * Sees to the schemas of the first of these records, one at least.
   *
   * @returns how many records may be decoded; 0 when the partition is lost or drains before their schemas are there
   */
  async ready(
    partition: AssignedPartition,
    { records }: Taken,
    decoders: DecoderRegistry,
    limits: IngestLimits,
  ): Promise<number> {
    const ids = new Set<number>();
    const endMs = performance.now() + LOOK_MS;
    let count = 0;
    do {
      const id = schemaIdOf(records[count++]!, decoders, limits);
      if (id !== undefined) ids.add(id);
    } while (count < records.length && performance.now() < endMs);
    if (ids.size === 0) return count;
    try {
      return (await this.#fetched(partition, ids)) ? count : 0;
    } finally {
      this.#waiting.delete(partition);
    }
  }

  async #fetched(partition: AssignedPartition, ids: ReadonlySet<number>): Promise<boolean> {
    const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    for (;;) {
      try {
        await this.store.ensure(ids);
        this.#answered(partition);
        return partition.active;
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error;
        await this.#pause(partition, errorMessage(error), Math.round(backoff.next()));
        if (!partition.active) return false;
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
    const sinceMs = this.#waiting.get(held)?.sinceMs ?? Date.now();
    this.#waiting.set(held, { topic, partition, sinceMs, reason });
    this.#log.warn(
      { topic, partition, error: reason, retryInMs },
      'a schema cannot be fetched; the partition waits for the registry (registry.url) and nothing is lost',
    );
    await sleep(retryInMs, held.ending);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/** Undefined also where a look throws: decoding it will, and that sets the record aside. */
function schemaIdOf(
  { value, headers }: FetchedRecord,
  decoders: DecoderRegistry,
  limits: IngestLimits,
): number | undefined {
  try {
    return value === null ? undefined : decoders.schemaId(value, { headers, limits });
  } catch {
    return undefined;
  }
}
