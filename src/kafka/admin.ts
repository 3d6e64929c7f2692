import type { Admin } from 'kafkajs';
import { monotonicMs } from '../model/clock.ts';
import { sleep } from '../model/sleep.ts';
import { brokerSettings, OFFSETS_RETENTION } from './broker-settings.ts';
import { BRIEF, type KafkaConnection } from './client.ts';
import { isCoordinatorMoving, KafkaSetupError, kafkaErrorType } from './errors.ts';
import { topicIdOf } from './patch/metadata-v10.ts';
import { stably } from './patch/offset-fetch.ts';
import { readMark, type TopicMark } from './topic-mark.ts';

/** Offsets between which a partition has records: `low` is the oldest kept, `high` the next to be written. */
export interface OffsetBounds {
  readonly low: bigint;
  readonly high: bigint;
}

/** What a group has committed for a partition. */
export interface CommittedOffset {
  readonly offset: bigint;
  /** What its reader keeps beside the offset. */
  readonly metadata: string;
  /** Of which topic it is; undefined in commits of earlier versions and other programs. */
  readonly mark?: TopicMark | undefined;
}

/**
 * Most time for an answer: a broker that hangs is not waited for long, as partitions begin with such questions. Brokers
 * take 5 s to create topics, and then answer that it goes on.
 */
const REQUEST_TIMEOUT_MS = 10_000;
const COORDINATOR_RETRY_MS = 200;
const COORDINATOR_GIVE_UP_MS = 30_000;
/** What a broker answers that was asked by metadata of another one that is behind. */
const STALE_METADATA = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
]);

/** Repeats a question to a group's coordinator while there is none that answers: kafkajs asks once. */
async function untilCoordinated<T>(ask: () => Promise<T>): Promise<T> {
  const giveUp = monotonicMs() + COORDINATOR_GIVE_UP_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isPassing = isCoordinatorMoving(error) || kafkaErrorType(error) === 'UNSTABLE_OFFSET_COMMIT';
      if (!isPassing || monotonicMs() > giveUp) throw error;
      await sleep(COORDINATOR_RETRY_MS);
    }
  }
}

/** What Penstock asks of a cluster's administration. One connection, opened at the first use. */
export class KafkaAdmin {
  readonly #connection: KafkaConnection;
  #admin: Promise<Admin> | undefined;

  constructor(connection: KafkaConnection) {
    this.#connection = connection;
  }

  /** Offsets that a group has committed on a topic, by partition; those without a commit are left out. */
  async committedOffsets(groupId: string, topic: string): Promise<Map<number, bigint>> {
    const entries = (await this.committedEntries(groupId)).get(topic) ?? new Map();
    return new Map([...entries].map(([partition, { offset }]) => [partition, offset]));
  }

  /**
   * All that a group has committed, by topic and partition, with what is kept beside the offsets.
   *
   * @param final waits for transactions that are not settled, to whose offsets the answer is to belong; else it is from before
   */
  async committedEntries(
    groupId: string,
    { final = false } = {},
  ): Promise<Map<string, Map<number, CommittedOffset>>> {
    const admin = await this.client();
    const ask = () => admin.fetchOffsets({ groupId });
    const answer = await untilCoordinated(final ? () => stably(ask) : ask);
    return new Map(
      answer.map(({ topic, partitions }) => {
        const committed = partitions.filter(({ offset }) => Number(offset) >= 0);
        const entries = committed.map(({ partition, offset, metadata }) => {
          const { note, mark } = readMark(metadata ?? '');
          return [partition, { offset: BigInt(offset), metadata: note, mark }] as const;
        });
        return [topic, new Map(entries)];
      }),
    );
  }

  /** Names of the consumer groups that begin with `prefix`, on all brokers. */
  async groupsWith(prefix: string): Promise<string[]> {
    const admin = await this.client();
    const { groups } = await untilCoordinated(() => admin.listGroups());
    const names = groups.map(({ groupId }) => groupId).filter((groupId) => groupId.startsWith(prefix));
    return [...new Set(names)].sort();
  }

  /** Oldest and next offset of each partition of a topic. */
  async offsetBounds(topic: string): Promise<Map<number, OffsetBounds>> {
    const admin = await this.client();
    const answer = await admin.fetchTopicOffsets(topic).catch((error) => {
      if (STALE_METADATA.has(kafkaErrorType(error))) this.#discard(admin);
      throw error;
    });
    return new Map(
      answer.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
    );
  }

  /**
   * The same by a client of its own: the other may have its metadata from a broker that is behind. Which broker is asked
   * is left to chance.
   */
  async freshOffsetBounds(topic: string): Promise<Map<number, OffsetBounds>> {
    const own = new KafkaAdmin(this.#connection);
    try {
      return await own.offsetBounds(topic);
    } finally {
      void own.close().catch(() => undefined);
    }
  }

  /** By partition the first offset whose record is not older than a time (ms since the epoch); the end where none is. */
  async offsetsAt(topic: string, timeMs: number): Promise<Map<number, bigint>> {
    const admin = await this.client();
    const answer = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, timeMs));
    return new Map(answer.map(({ partition, offset }) => [partition, BigInt(offset)]));
  }

  /** Kafka's id of a topic, which is never used again; undefined where brokers do not say. */
  async topicId(topic: string): Promise<string | undefined> {
    const admin = await this.client();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics.find(({ name }) => name === topic);
    return found && topicIdOf(found.partitions);
  }

  /** How long brokers remember the offsets of a group without members, in ms; undefined where they do not say. */
  async offsetsRetentionMs(): Promise<number | undefined> {
    const minutes = (await brokerSettings(await this.client(), [OFFSETS_RETENTION])).get(OFFSETS_RETENTION);
    return minutes === undefined ? undefined : Number(minutes) * 60_000;
  }

  /** Number of partitions by topic; topics that do not exist are left out. */
  async partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const admin = await this.client();
    const existing = new Set(await admin.listTopics());
    const wanted = topics.filter((topic) => existing.has(topic));
    if (wanted.length === 0) return new Map();
    const metadata = await admin.fetchTopicMetadata({ topics: wanted });
    return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
  }

  /** Refuses topics that are missing or have too few partitions: kafkajs drops a send to a missing partition. */
  async requireTopics(needed: ReadonlyMap<string, number>): Promise<void> {
    const counts = await this.partitionCounts([...needed.keys()]);
    const faults = [...needed].flatMap(([topic, partitions]) => {
      const count = counts.get(topic);
      if (count === undefined) return [`topic ${topic} does not exist`];
      return count < partitions ? [`topic ${topic} has ${count} partitions, ${partitions} are needed`] : [];
    });
    if (faults.length > 0) {
      throw new KafkaSetupError(
        `${faults.join('; ')}. Run "penstock topics apply" with the same configuration.`,
      );
    }
  }

  /** `max.message.bytes` of topics: the largest record batch that each takes, in bytes. */
  async maxMessageBytes(topics: readonly string[]): Promise<Map<string, number>> {
    const admin = await this.client();
    const TOPIC = 2;
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({ type: TOPIC, name, configNames: ['max.message.bytes'] })),
    });
    return new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        Number(
          configEntries.find(({ configName }) => configName === 'max.message.bytes')?.configValue ??
            1_048_588,
        ),
      ]),
    );
  }

  /** The kafkajs client itself, for calls that only one command makes. */
  client(): Promise<Admin> {
    this.#admin ??= (async () => {
      const admin = this.#connection.instance(BRIEF, REQUEST_TIMEOUT_MS).admin();
      try {
        await admin.connect();
        return admin;
      } catch (error) {
        void admin.disconnect().catch(() => undefined);
        throw error;
      }
    })().catch((error) => {
      this.#admin = undefined;
      throw error;
    });
    return this.#admin;
  }

  /** kafkajs asks for every topic that it has ever been asked for: one that is gone spoils what is asked of others. */
  #discard(admin: Admin): void {
    this.#admin = undefined;
    void admin.disconnect().catch(() => undefined);
  }

  async close(): Promise<void> {
    const admin = await this.#admin?.catch(() => undefined);
    await admin?.disconnect();
  }
}
