import type { Admin, IResourceConfigEntry } from 'kafkajs';
import { errorMessage } from '../../../core/model/errors.ts';
import { epochMs, monotonicMs } from '../../time/clock.ts';
import { sleep } from '../../time/sleep.ts';
import { FatalKafkaError, kafkaErrorType } from '../errors.ts';
import { TopicTroubleError } from '../topic/topic-trouble.ts';
import type { KafkaAdmin } from './admin.ts';
import { brokerSettings, OFFSETS_RETENTION } from './brokers.ts';

/** A topic as it exists in the cluster. */
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
  /** Broker default of `max.message.bytes`. */
  readonly defaultMaxMessageBytes: number;
  /** `offsets.retention.minutes` in ms; undefined when it may not be read. */
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
 * Partitions created per request. A KRaft controller refuses a request that makes more than 10,000 records of its log:
 * one per partition, plus those of the topic and its settings.
 */
const MOST_PARTITIONS_AT_ONCE = 5_000;
const SIZE = 'message.max.bytes';
const KAFKAS_MAX_MESSAGE_BYTES = 1_048_588;
const POLL_MS = 100;
/** Answers of a broker that has not yet heard of a topic or its leaders, although another may have listed it. */
const NOT_HEARD_OF = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);
const NEWS_TRAVELS_MS = 10_000;
/** The search for the oldest record ends this far in the future, in ms: clocks differ. */
const OLDEST_AHEAD_MS = 86_400_000;
const OLDEST_PRECISION_MS = 1000;

/** Reads, creates and alters topics. Deletes nothing. Every call may be repeated, also by two processes at once. */
export class TopicAdmin {
  readonly #admin: KafkaAdmin;
  readonly #nowMs: () => number;

  constructor(admin: KafkaAdmin, nowMs: () => number = epochMs) {
    this.#admin = admin;
    this.#nowMs = nowMs;
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
   * Time of a topic's oldest record, in ms since the epoch, to the second; undefined if it has none.
   *
   * A binary search over ListOffsets by time: kafkajs does not expose the timestamp in the answer.
   */
  async oldestRecord(topic: string): Promise<number | undefined> {
    const { bounds } = await this.#admin.knownBounds(topic);
    const filled = [...bounds].filter(([, { low, high }]) => low < high);
    if (filled.length === 0) return undefined;
    const partitions = filled.map(([partition]) => partition);
    const begins = await this.#admin.offsetsAt(topic, 0, partitions);
    let [known, below] = [0, this.#nowMs() + OLDEST_AHEAD_MS];
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
   * Grows a topic from `from` partitions to `to` in total.
   * @returns false for INVALID_PARTITIONS, as when another process was faster
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
   * Changes settings of a topic and keeps the others. kafkajs has only AlterConfigs, which resets every setting it does
   * not name, so those now set on the topic are sent along.
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
