import type { Admin, IResourceConfigEntry } from 'kafkajs';
import { errorMessage } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';
import { FatalKafkaError, kafkaErrorType } from '../errors.ts';
import { TopicTroubleError } from '../topic/topic-trouble.ts';
import type { KafkaAdmin } from './admin.ts';
import { brokerSettings, OFFSETS_RETENTION } from './broker-settings.ts';

/** A topic as the cluster has it. */
export interface TopicState {
  readonly partitions: number;
  /** Of the partition with the fewest replicas. */
  readonly replicationFactor: number;
  /** All settings in force, by Kafka's names: the topic's own, else the broker's defaults. */
  readonly settings: ReadonlyMap<string, string>;
}

export interface ClusterTopics {
  /** Topics that do not exist are left out. */
  readonly topics: ReadonlyMap<string, TopicState>;
  /** `max.message.bytes` of a topic that has none of its own. */
  readonly defaultMaxMessageBytes: number;
  /** How long brokers remember what a group without members has committed, in ms; undefined where they do not say. */
  readonly offsetsRetentionMs?: number | undefined;
}

export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  /** 0: the broker's default. */
  readonly replicationFactor: number;
  readonly settings: Readonly<Record<string, string>>;
}

// Kafka's ConfigResource.Type and DescribeConfigsResponse.ConfigSource.
const TOPIC = 2;
const SET_ON_THE_TOPIC = 1;

/**
 * Partitions that are asked for in one request. A KRaft controller refuses what makes more than 10,000 records of its log
 * at once: a record a partition, and those of the topic and its settings.
 */
const MOST_PARTITIONS_AT_ONCE = 5_000;
const SIZE = 'message.max.bytes';
const KAFKAS_MAX_MESSAGE_BYTES = 1_048_588;
const POLL_MS = 100;
/** A broker that has not yet heard of a topic, or of its leaders, answers so; another one may have listed it. */
const NOT_HEARD_OF = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);
const NEWS_TRAVELS_MS = 10_000;
/** The oldest record is looked for up to a day from now: clocks differ. */
const OLDEST_AHEAD_MS = 86_400_000;
const OLDEST_PRECISION_MS = 1000;

/** Reads, creates and alters topics. Deletes nothing. Every call may be repeated, also by two processes at once. */
export class TopicAdmin {
  readonly #admin: KafkaAdmin;

  constructor(admin: KafkaAdmin) {
    this.#admin = admin;
  }

  async read(topics: readonly string[]): Promise<ClusterTopics> {
    const deadline = monotonicMs() + NEWS_TRAVELS_MS;
    for (;;) {
      try {
        return await this.#read(topics);
      } catch (error) {
        if (!NOT_HEARD_OF.has(kafkaErrorType(error)) || monotonicMs() > deadline) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  async #read(topics: readonly string[]): Promise<ClusterTopics> {
    const admin = await this.#admin.client();
    const existing = new Set(await admin.listTopics());
    const names = topics.filter((topic) => existing.has(topic));
    const broker = await this.#brokerSettings(admin);
    if (names.length === 0) return { topics: new Map(), ...broker };
    const metadata = await this.#admin.topicStates(names);
    for (const { trouble } of metadata.values())
      if (trouble !== undefined) throw new TopicTroubleError(trouble);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: TOPIC, name })),
    });
    const settings = new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
    const states = [...metadata].map(([name, { partitions }]): [string, TopicState] => [
      name,
      {
        partitions: partitions.length,
        replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        settings: settings.get(name) ?? new Map(),
      },
    ]);
    return { topics: new Map(states), ...broker };
  }

  /**
   * Time of a topic's oldest record, in ms since the epoch, to the second; undefined where it has none.
   *
   * By halving: Kafka says where the records from a time on begin, and kafkajs keeps the time of the first to itself.
   */
  async oldestRecord(topic: string): Promise<number | undefined> {
    const { bounds } = await this.#admin.knownBounds(topic);
    const filled = [...bounds].filter(([, { low, high }]) => low < high);
    if (filled.length === 0) return undefined;
    const partitions = filled.map(([partition]) => partition);
    const begins = await this.#admin.offsetsAt(topic, 0, partitions);
    let [known, below] = [0, Date.now() + OLDEST_AHEAD_MS];
    while (below - known > OLDEST_PRECISION_MS) {
      const time = Math.floor((known + below) / 2);
      const at = await this.#admin.offsetsAt(topic, time, partitions);
      if ([...begins].some(([partition, begin]) => (at.get(partition) ?? begin) > begin)) below = time;
      else known = time;
    }
    return known;
  }

  /** @returns false if the topic was there already. @throws FatalKafkaError when the cluster refuses it. */
  async create({ topic, partitions, replicationFactor, settings }: NewTopic): Promise<boolean> {
    const admin = await this.#admin.client();
    const request = {
      topic,
      numPartitions: Math.min(partitions, MOST_PARTITIONS_AT_ONCE),
      replicationFactor: replicationFactor === 0 ? -1 : replicationFactor,
      configEntries: entriesOf(settings),
    };
    try {
      const isNew = await admin.createTopics({ waitForLeaders: false, topics: [request] });
      if (isNew) await this.#grow(topic, request.numPartitions, partitions);
      return isNew;
    } catch (error) {
      const reasons = (error as { errors?: unknown[] }).errors ?? [error];
      const reason = reasons.map((each) => `${errorMessage(each)} ${kafkaErrorType(each)}`.trim()).join('; ');
      const replicas = replicationFactor === 0 ? "the broker's number of" : replicationFactor;
      throw new FatalKafkaError(
        `topic ${topic} cannot be created with ${partitions} partitions and ${replicas} replicas: ${reason}`,
        { cause: error },
      );
    }
  }

  /**
   * Grows a topic from so many partitions to so many in all.
   * @returns false if the cluster says that the number does not fit, as when another process was faster
   */
  async grow(topic: string, { from, to }: { from: number; to: number }): Promise<boolean> {
    try {
      await this.#grow(topic, from, to);
      return true;
    } catch (error) {
      if (kafkaErrorType(error) === 'INVALID_PARTITIONS') return false;
      throw error;
    }
  }

  async #grow(topic: string, from: number, to: number): Promise<void> {
    const admin = await this.#admin.client();
    for (let count = from; count < to; ) {
      count = Math.min(to, count + MOST_PARTITIONS_AT_ONCE);
      await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    }
  }

  /**
   * Changes settings of a topic and keeps its others. kafkajs knows AlterConfigs only, which takes away what
   * it does not name, so what is set on the topic now is sent along.
   */
  async alter(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const admin = await this.#admin.client();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: TOPIC, name: topic }],
    });
    const own = (resources[0]?.configEntries ?? []).filter(
      ({ configSource, configValue }) => Number(configSource) === SET_ON_THE_TOPIC && configValue !== null,
    );
    const kept = Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]));
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: TOPIC, name: topic, configEntries: entriesOf({ ...kept, ...settings }) }],
    });
  }

  /**
   * Waits until each topic has that many partitions, all with a leader.
   * @throws FatalKafkaError after `timeoutMs`, naming what is missing
   */
  async waitUntilUsable(partitions: ReadonlyMap<string, number>, timeoutMs: number): Promise<void> {
    const deadline = monotonicMs() + timeoutMs;
    for (const [topic, count] of partitions) {
      for (;;) {
        const usable = await this.#partitionsWithLeader(topic);
        if (usable >= count) break;
        if (monotonicMs() > deadline) {
          throw new FatalKafkaError(
            `topic ${topic} has ${usable} of ${count} partitions with a leader after ${timeoutMs / 1000} s; ` +
              'are all brokers up?',
          );
        }
        await sleep(POLL_MS);
      }
    }
  }

  async #partitionsWithLeader(topic: string): Promise<number> {
    const { partitions = [] } = (await this.#admin.topicStates([topic])).get(topic) ?? {};
    return partitions.filter(({ leader }) => leader >= 0).length;
  }

  async #brokerSettings(admin: Admin): Promise<Omit<ClusterTopics, 'topics'>> {
    const settings = await brokerSettings(admin, [SIZE, OFFSETS_RETENTION]);
    const minutes = settings.get(OFFSETS_RETENTION);
    return {
      defaultMaxMessageBytes: Number(settings.get(SIZE) ?? KAFKAS_MAX_MESSAGE_BYTES),
      offsetsRetentionMs: minutes === undefined ? undefined : Number(minutes) * 60_000,
    };
  }
}

function entriesOf(settings: Readonly<Record<string, string>>): IResourceConfigEntry[] {
  return Object.entries(settings).map(([name, value]) => ({ name, value }));
}
