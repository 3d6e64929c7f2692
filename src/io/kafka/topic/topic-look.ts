import { DEFAULT_MAX_MESSAGE_BYTES, type KafkaAdmin } from '../admin/admin.ts';
import { kafkaErrorType } from '../errors.ts';
import {
  leaderlessPartitions,
  missingTopic,
  type TopicTrouble,
  tooFewPartitions,
  unauthorizedTopic,
} from './topic-trouble.ts';

/** Requirements for an output topic. */
export interface NeededTopic {
  readonly topic: string;
  readonly partitions: number;
}

/** Fault of an output topic. */
export interface OutputTrouble extends TopicTrouble {
  /** Affected partitions; absent: all. */
  readonly partitions?: ReadonlySet<number>;
}

/** State of an output topic. */
export interface OutputTopic {
  readonly partitions: number;
  /** `max.message.bytes`, raised to `LEAST_MESSAGE_BYTES`. */
  readonly maxMessageBytes: number;
  /** Fault visible in metadata or settings, if any. */
  readonly trouble: OutputTrouble | undefined;
}

/** Smallest usable `max.message.bytes`: below it a record's headers leave too little room for its content. */
export const LEAST_MESSAGE_BYTES = 64 * 1024;

/** Checks output topics: existence, number of partitions, leaders, and a usable `max.message.bytes`. */
export async function lookAt(
  admin: KafkaAdmin,
  needed: readonly NeededTopic[],
): Promise<Map<string, OutputTopic>> {
  const states = await admin.topicStates(needed.map(({ topic }) => topic));
  const found = new Map<string, OutputTopic>();
  for (const { topic, partitions: needs } of needed) {
    const { partitions = [], trouble = undefined } = states.get(topic) ?? {};
    const isThere = trouble === undefined && partitions.length > 0;
    if (!isThere) {
      const fault = trouble ?? missingTopic(topic);
      found.set(topic, { partitions: needs, maxMessageBytes: DEFAULT_MAX_MESSAGE_BYTES, trouble: fault });
      continue;
    }
    const maxMessageBytes = await readLimit(admin, topic);
    const leaderless = partitions
      .filter(({ partitionId, leader }) => leader < 0 && partitionId < needs)
      .map(({ partitionId }) => partitionId);
    found.set(topic, {
      partitions: partitions.length,
      // Records for a topic with a lower limit wait: by that limit every series would be too large, a dead letter.
      maxMessageBytes:
        typeof maxMessageBytes === 'number'
          ? Math.max(LEAST_MESSAGE_BYTES, maxMessageBytes)
          : DEFAULT_MAX_MESSAGE_BYTES,
      trouble:
        (typeof maxMessageBytes === 'number' ? tooSmall(topic, maxMessageBytes) : maxMessageBytes) ??
        tooFew(topic, partitions.length, needs) ??
        withoutLeader(topic, leaderless),
    });
  }
  return found;
}

async function readLimit(admin: KafkaAdmin, topic: string): Promise<number | TopicTrouble> {
  try {
    return (await admin.maxMessageBytes([topic])).get(topic) ?? DEFAULT_MAX_MESSAGE_BYTES;
  } catch (error) {
    switch (kafkaErrorType(error)) {
      case 'TOPIC_AUTHORIZATION_FAILED':
        return unauthorizedTopic(topic, 'read the settings of');
      case 'UNKNOWN_TOPIC_OR_PARTITION':
        return missingTopic(topic);
      default:
        throw error;
    }
  }
}

function tooSmall(topic: string, bytes: number): OutputTrouble | undefined {
  if (bytes >= LEAST_MESSAGE_BYTES) return undefined;
  return {
    topic,
    kind: 'small_max_message_bytes',
    message:
      `topic ${topic} takes records of ${bytes} bytes at most (max.message.bytes), and ${LEAST_MESSAGE_BYTES} are needed ` +
      'at least: "penstock topics plan" shows what it should have',
  };
}

function tooFew(topic: string, has: number, needs: number): OutputTrouble | undefined {
  if (has >= needs) return undefined;
  return {
    ...tooFewPartitions(topic, has, needs),
    partitions: new Set(Array.from({ length: needs - has }, (_, at) => has + at)),
  };
}

function withoutLeader(topic: string, partitions: readonly number[]): OutputTrouble | undefined {
  if (partitions.length === 0) return undefined;
  return { ...leaderlessPartitions(topic, partitions), partitions: new Set(partitions) };
}
