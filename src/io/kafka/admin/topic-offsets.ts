import { sleep } from '../../time/sleep.ts';
import { isConnectionTrouble, isLeaderMoved, kafkaErrorType } from '../errors.ts';
import type { Cluster, PartitionMetadata, TopicMetadata } from '../patch/admin.ts';
import { TOPIC_FAULTS } from '../patch/partition-errors.ts';
import {
  leaderlessPartitions,
  missingTopic,
  type TopicTrouble,
  TopicTroubleError,
  unauthorizedTopic,
} from '../topic/topic-trouble.ts';

/** The offset asked for: the oldest, the next, or the first at or after a time in ms since the epoch. */
export type OffsetQuestion = 'oldest' | 'next' | { readonly atMs: number };

/** Answers of the leaders of a topic's partitions. */
export interface OffsetAnswers {
  /** By partition, one per question, in order; -1 when no record is at or after the time. */
  readonly offsets: ReadonlyMap<number, readonly bigint[]>;
  /** Partitions without a leader. */
  readonly leaderless: readonly number[];
  /** Errors by partition, of leaders that did not answer. */
  readonly failed: ReadonlyMap<number, unknown>;
}

/** Attempts, with fresh metadata each, to find leaders that have moved. */
const ATTEMPTS = 4;
const PAUSE_MS = 150;

/**
 * Asks the leaders of a topic's partitions for offsets. A missing leader, or one that does not answer, does not affect
 * the other partitions.
 *
 * @param wanted which partitions; absent: all. Those that do not exist are left out.
 * @throws TopicTroubleError when the topic is missing or not authorized
 */
export async function askOffsets(
  cluster: Cluster,
  topic: string,
  questions: readonly OffsetQuestion[],
  wanted?: readonly number[],
): Promise<OffsetAnswers> {
  await cluster.addTargetTopic(topic);
  await cluster.refreshMetadataIfNecessary();
  const offsets = new Map<number, readonly bigint[]>();
  const isWanted = wanted === undefined ? undefined : new Set(wanted);
  for (let attempt = 1; ; attempt += 1) {
    const all = partitionsOf(cluster, topic);
    if (all === undefined) {
      // A concurrent request about other topics has replaced the cluster's metadata.
      if (attempt === ATTEMPTS) throw new TopicTroubleError(missingTopic(topic));
      await cluster.refreshMetadata();
      continue;
    }
    const known = all.filter(
      ({ partitionId }) => (isWanted?.has(partitionId) ?? true) && !offsets.has(partitionId),
    );
    const failed = new Map<number, unknown>();
    const leaders = Map.groupBy(
      known.filter(({ leader }) => leader >= 0),
      ({ leader }) => leader,
    );
    await Promise.all(
      [...leaders.values()].map(async (led) => {
        const ids = led.map(({ partitionId }) => partitionId);
        try {
          for (const [id, answer] of await askLeader(cluster, topic, questions, ids)) offsets.set(id, answer);
        } catch (error) {
          for (const id of ids) failed.set(id, error);
        }
      }),
    );
    const leaderless = known.filter(({ leader }) => leader < 0).map(({ partitionId }) => partitionId);
    const isOld = [...failed.values()].some(mayHaveMoved);
    if (!isOld || attempt === ATTEMPTS) return { offsets, leaderless, failed };
    await sleep(PAUSE_MS * attempt);
    await cluster.refreshMetadata();
  }
}

/** @throws TopicTroubleError for partitions without a leader, else the first error */
export function assertAnswered(topic: string, { leaderless, failed }: OffsetAnswers): void {
  if (leaderless.length > 0) throw new TopicTroubleError(leaderlessPartitions(topic, leaderless));
  for (const [, error] of failed) throw error;
}

/** Fault of a topic as a whole, by its metadata; undefined: none. */
export function topicFault({ topic, topicErrorCode }: TopicMetadata): TopicTrouble | undefined {
  switch (TOPIC_FAULTS[topicErrorCode]) {
    case undefined:
      return undefined;
    case 'TOPIC_AUTHORIZATION_FAILED':
      return unauthorizedTopic(topic, 'describe');
    default:
      return missingTopic(topic);
  }
}

/** @returns undefined when the cluster has no metadata of the topic. @throws TopicTroubleError */
function partitionsOf(cluster: Cluster, topic: string): readonly PartitionMetadata[] | undefined {
  const metadata = cluster.brokerPool.metadata?.topicMetadata.find((known) => known.topic === topic);
  const fault = metadata && topicFault(metadata);
  if (fault !== undefined) throw new TopicTroubleError(fault);
  return metadata?.partitionMetadata;
}

async function askLeader(
  cluster: Cluster,
  topic: string,
  questions: readonly OffsetQuestion[],
  ids: readonly number[],
): Promise<Map<number, bigint[]>> {
  const partitions = ids.map((partition) => ({ partition }));
  const answers = await Promise.all(
    questions.map((question) => {
      const from =
        typeof question === 'object'
          ? { fromTimestamp: question.atMs }
          : { fromBeginning: question === 'oldest' };
      return cluster.fetchTopicsOffset([{ topic, partitions, ...from }]);
    }),
  );
  const offsets = new Map(ids.map((id): [number, bigint[]] => [id, []]));
  for (const [answer] of answers)
    for (const { partition, offset } of answer?.partitions ?? [])
      offsets.get(partition)?.push(BigInt(offset));
  return offsets;
}

/** True for errors of stale metadata, or of metadata from a broker that is behind. */
function mayHaveMoved(error: unknown): boolean {
  return (
    isLeaderMoved(error) ||
    isConnectionTrouble(error) ||
    kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION'
  );
}
