import { monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';

interface Broker {
  readonly connectionPool: { readonly pool: readonly { readonly silent?: boolean }[] };
  isConnected(): boolean;
}

type Question = (answerer: { nodeId: string; broker: Broker }) => Promise<unknown>;

interface Metadata {
  readonly topicMetadata: readonly {
    readonly topic: string;
    readonly topicErrorCode?: number;
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
  }[];
}

interface BrokerPool {
  metadata: Metadata | null;
  readonly metadataMaxAge: number;
  /** By `monotonicMs` in this subclass; null: expired. */
  metadataExpireAt: number | null;
  refreshMetadata(topics: readonly string[]): Promise<void>;
  refreshMetadataIfNecessary(topics: readonly string[]): Promise<void>;
  /** By node id. */
  readonly brokers: Readonly<Record<string, Broker>>;
  /** A broker of the configured list, asked while no node is known. */
  readonly seedBroker: Broker | undefined;
  /** Moves on to the next broker of the configured list. */
  createSeedBroker(): Promise<void>;
  connect(): Promise<void>;
  findBroker(options: { nodeId: string }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker>;
  withBroker(question: Question): Promise<unknown>;
}

/** Time to wait for leader elections, which take some 100 ms; after that a partition counts as out of service. */
const ELECTION_MS = 1_000;
const ELECTION_PAUSE_MS = 100;
/** Maximum age of metadata with a leaderless partition or a missing topic. */
const INCOMPLETE_MAX_AGE_MS = 2_000;

/**
 * kafkajs' broker pool with these changes.
 *
 * - For requests that any broker can answer (metadata, coordinators) a broker that hangs is asked last. The original
 *   picks at random, and keeps asking one that hangs after its ApiVersions answer and before it has named the others:
 *   its operating system still accepts connections.
 * - A broker that cannot be reached is skipped. The original then asks no other.
 * - Metadata expire by a monotonic clock. In the original they live an hour longer when the system's time steps back by
 *   an hour.
 * - Partitions without a leader (partition-errors.ts) are waited for once, as long as an election may take, and then
 *   looked for every two seconds, as are missing topics.
 */
export function patchBrokerPool(
  Original: new (...args: never[]) => BrokerPool,
  shuffle: (ids: string[]) => string[],
): unknown {
  return class PatchedBrokerPool extends Original {
    /** Partitions that were waited for. */
    #leaderless: ReadonlySet<string> = new Set();
    #nextSeed: Promise<void> | undefined;

    override async refreshMetadata(topics: readonly string[]): Promise<void> {
      const until = monotonicMs() + ELECTION_MS;
      for (;;) {
        await super.refreshMetadata(topics);
        this.metadataExpireAt = monotonicMs() + this.metadataMaxAge;
        const leaderless = withoutLeader(this.metadata);
        const isKnown = [...leaderless].every((partition) => this.#leaderless.has(partition));
        if (isKnown || monotonicMs() > until) {
          this.#leaderless = leaderless;
          if (leaderless.size > 0 || lacksTopic(this.metadata)) this.#expireWithin(INCOMPLETE_MAX_AGE_MS);
          return;
        }
        await sleep(ELECTION_PAUSE_MS);
      }
    }

    #expireWithin(ms: number): void {
      this.metadataExpireAt = Math.min(this.metadataExpireAt ?? 0, monotonicMs() + ms);
    }

    override async refreshMetadataIfNecessary(topics: readonly string[]): Promise<void> {
      const known = new Set(this.metadata?.topicMetadata.map(({ topic }) => topic));
      const isFresh = this.metadataExpireAt !== null && monotonicMs() <= this.metadataExpireAt;
      if (!isFresh || topics.some((topic) => !known.has(topic))) await this.refreshMetadata(topics);
    }

    override async findConnectedBroker(): Promise<Broker> {
      const { brokers } = this;
      const ids = this.#silentLast();
      const connected = ids.find((id) => brokers[id]!.isConnected() && !isSilent(brokers[id]!));
      for (const nodeId of connected === undefined ? ids : [connected]) {
        const broker = await this.findBroker({ nodeId }).catch(() => undefined);
        if (broker !== undefined) return broker;
      }
      await this.#passOverSilentSeed();
      await this.connect();
      return this.seedBroker!;
    }

    async #passOverSilentSeed(): Promise<void> {
      if (this.seedBroker === undefined || !isSilent(this.seedBroker)) return;
      // Concurrent requests must move on by one broker only.
      this.#nextSeed ??= this.createSeedBroker().finally(() => {
        this.#nextSeed = undefined;
      });
      await this.#nextSeed;
    }

    /** Node ids in random order, silent brokers last. */
    #silentLast(): string[] {
      const { brokers } = this;
      const order = (id: string) => Number(isSilent(brokers[id]!));
      return shuffle(Object.keys(brokers)).sort((a, b) => order(a) - order(b));
    }

    override async withBroker(question: Question): Promise<unknown> {
      const ids = this.#silentLast();
      if (ids.length === 0) return super.withBroker(question); // throws: no brokers
      let reached = false;
      let failure: unknown;
      for (const nodeId of ids) {
        try {
          const broker = await this.findBroker({ nodeId });
          reached = true;
          return await question({ nodeId, broker });
        } catch (error) {
          failure = error;
        }
      }
      if (!reached) throw failure;
      return null; // in kafkajs: no broker has answered
    }
  };
}

function withoutLeader(metadata: Metadata | null): Set<string> {
  const names = (metadata?.topicMetadata ?? []).flatMap(({ topic, partitionMetadata }) =>
    partitionMetadata.filter(({ leader }) => leader < 0).map(({ partitionId }) => `${topic}/${partitionId}`),
  );
  return new Set(names);
}

function lacksTopic(metadata: Metadata | null): boolean {
  return (metadata?.topicMetadata ?? []).some(({ topicErrorCode = 0 }) => topicErrorCode !== 0);
}

function isSilent({ connectionPool }: Broker): boolean {
  return connectionPool.pool.some(({ silent }) => silent);
}
