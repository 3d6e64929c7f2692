import type { Admin } from 'kafkajs';
import { RetryableError } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';
import { BRIEF, type KafkaConnection } from '../client/connection.ts';
import { isCoordinatorMoving, kafkaErrorType } from '../errors.ts';
import { clusterOf, type PartitionMetadata } from '../patch/admin.ts';
import { topicIdOf } from '../patch/metadata-v10.ts';
import { stably } from '../patch/offset-fetch.ts';
import { readMark, type TopicMark } from '../topic/topic-mark.ts';
import { missingTopic, type TopicTrouble, tooFewPartitions, unusableTopics } from '../topic/topic-trouble.ts';
import { brokerSettings, OFFSETS_RETENTION } from './brokers.ts';
import {
  askOffsets,
  assertAnswered,
  type OffsetAnswers,
  type OffsetQuestion,
  topicFault,
} from './topic-offsets.ts';

/** Offsets between which a partition has records: `low` is the oldest kept, `high` the next to be written. */
export interface OffsetBounds {
  readonly low: bigint;
  readonly high: bigint;
}

/** A committed offset, and the metadata kept with it. */
export interface CommittedOffset {
  readonly offset: bigint;
  /** The reader's own note. */
  readonly metadata: string;
  /** The topic it belongs to; undefined in commits of earlier versions and other programs. */
  readonly mark?: TopicMark | undefined;
}

/** Kafka's default for `max.message.bytes`. */
export const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;

/** A topic as brokers know it. */
export interface TopicState {
  readonly partitions: readonly PartitionMetadata[];
  /** Why the topic has no partitions; undefined: it has. */
  readonly trouble: TopicTrouble | undefined;
}

/**
 * Request timeout: short, since partitions begin with such requests and a broker may hang. Long enough to create
 * topics: brokers take up to 5 s, then answer that creation goes on.
 */
const REQUEST_TIMEOUT_MS = 10_000;
const COORDINATOR_RETRY_MS = 200;
const COORDINATOR_GIVE_UP_MS = 30_000;
/** Repeats a request to a group's coordinator while it moves or offsets are unstable: kafkajs asks once. */
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

/** Admin requests of Penstock. One connection, opened on first use. */
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
   * All offsets that a group has committed, by topic and partition, with their metadata.
   *
   * @param final waits until transactions with pending offsets are settled; else the answer is from before them
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

  /**
   * Oldest and next offset of partitions of a topic; those that do not exist are left out.
   *
   * @param wanted which partitions; absent: all. Only their leaders are asked.
   * @throws TopicTroubleError when the topic is missing or one of the partitions has no leader
   */
  async offsetBounds(topic: string, wanted?: readonly number[]): Promise<Map<number, OffsetBounds>> {
    const answers = await this.#ask(topic, ['oldest', 'next'], wanted);
    assertAnswered(topic, answers);
    return boundsOf(answers);
  }

  /** Like `offsetBounds`, for the partitions whose leaders answer; `unknown` lists the others. */
  async knownBounds(
    topic: string,
    wanted?: readonly number[],
  ): Promise<{ readonly bounds: Map<number, OffsetBounds>; readonly unknown: readonly number[] }> {
    const answers = await this.#ask(topic, ['oldest', 'next'], wanted);
    const { leaderless, failed, offsets } = answers;
    if (offsets.size === 0) for (const error of failed.values()) throw error;
    return { bounds: boundsOf(answers), unknown: [...leaderless, ...failed.keys()].sort((a, b) => a - b) };
  }

  /**
   * `offsetBounds` through a new client, which asks a random broker: the present one may have its metadata from a
   * broker that is behind.
   */
  async freshOffsetBounds(topic: string, wanted?: readonly number[]): Promise<Map<number, OffsetBounds>> {
    const own = new KafkaAdmin(this.#connection);
    try {
      return await own.offsetBounds(topic, wanted);
    } finally {
      void own.close().catch(() => undefined);
    }
  }

  /** First offset by partition whose record is at or after a time (ms since the epoch); the end if there is none. */
  async offsetsAt(topic: string, timeMs: number, wanted?: readonly number[]): Promise<Map<number, bigint>> {
    const answers = await this.#ask(topic, atOrNext(timeMs), wanted);
    assertAnswered(topic, answers);
    return firstOffsets(answers);
  }

  /** Like `offsetsAt`, for the partitions whose leaders answer. */
  async knownOffsetsAt(topic: string, timeMs: number): Promise<Map<number, bigint>> {
    return firstOffsets(await this.#ask(topic, atOrNext(timeMs), undefined));
  }

  /** Kafka's id of a topic, never reused; undefined if the topic is missing or brokers are older than Kafka 2.8. */
  async topicId(topic: string): Promise<string | undefined> {
    const admin = await this.client();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics.find(({ name }) => name === topic);
    return found && topicIdOf(found.partitions);
  }

  /** `offsets.retention.minutes` in ms; undefined when it may not be read. */
  async offsetsRetentionMs(): Promise<number | undefined> {
    const minutes = (await brokerSettings(await this.client(), [OFFSETS_RETENTION])).get(OFFSETS_RETENTION);
    return minutes === undefined ? undefined : Number(minutes) * 60_000;
  }

  /** Topics as brokers know them, with the fault of each that has no partitions for this user. */
  async topicStates(topics: readonly string[]): Promise<ReadonlyMap<string, TopicState>> {
    if (topics.length === 0) return new Map();
    const answer = await clusterOf(await this.client()).metadata({ topics });
    if (answer === null) throw new RetryableError('no broker answers what it knows of topics');
    return new Map(
      answer.topicMetadata.map((metadata) => [
        metadata.topic,
        { partitions: metadata.partitionMetadata, trouble: topicFault(metadata) },
      ]),
    );
  }

  /** Number of partitions by topic; topics that are missing or not authorized are left out. */
  async partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const [topic, { partitions, trouble }] of await this.topicStates(topics)) {
      if (trouble === undefined) counts.set(topic, partitions.length);
    }
    return counts;
  }

  /**
   * Refuses topics that are missing, not authorized or have too few partitions: kafkajs drops a send to a missing
   * partition.
   *
   * @throws FatalKafkaError
   */
  async requireTopics(needed: ReadonlyMap<string, number>): Promise<void> {
    const states = await this.topicStates([...needed.keys()]);
    const troubles = [...needed].flatMap(([topic, partitions]): TopicTrouble | [] => {
      const state = states.get(topic);
      if (state === undefined) return missingTopic(topic);
      if (state.trouble !== undefined) return state.trouble;
      const count = state.partitions.length;
      return count < partitions ? tooFewPartitions(topic, count, partitions) : [];
    });
    if (troubles.length > 0) throw unusableTopics(troubles);
  }

  /** `max.message.bytes` of topics: the largest record batch that each takes, in bytes. */
  async maxMessageBytes(topics: readonly string[]): Promise<Map<string, number>> {
    if (topics.length === 0) return new Map();
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
            DEFAULT_MAX_MESSAGE_BYTES,
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

  async #ask(
    topic: string,
    questions: readonly OffsetQuestion[],
    wanted: readonly number[] | undefined,
  ): Promise<OffsetAnswers> {
    return await askOffsets(clusterOf(await this.client()), topic, questions, wanted);
  }

  async close(): Promise<void> {
    const admin = await this.#admin?.catch(() => undefined);
    await admin?.disconnect();
  }
}

function atOrNext(timeMs: number): OffsetQuestion[] {
  return [{ atMs: Math.max(0, timeMs) }, 'next'];
}

/** Answers to `atOrNext`. */
function firstOffsets({ offsets }: OffsetAnswers): Map<number, bigint> {
  return new Map([...offsets].map(([id, [at, next]]) => [id, at! < 0n ? next! : at!]));
}

function boundsOf({ offsets }: OffsetAnswers): Map<number, OffsetBounds> {
  return new Map([...offsets].map(([id, [low, high]]) => [id, { low: low!, high: high! }]));
}
