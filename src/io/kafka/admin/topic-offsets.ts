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

/** Which offset of a partition is asked for. A time is in ms since the epoch. */
export type OffsetQuestion = 'oldest' | 'next' | { readonly atMs: number };

/** What leaders answer about the partitions of a topic. */
export interface OffsetAnswers {
  /** By partition, one for each question, in their order; -1 for a time that no record has. */
  readonly offsets: ReadonlyMap<number, readonly bigint[]>;
  /** Partitions that nobody leads. */
  readonly leaderless: readonly number[];
  /** Why leaders did not answer, by partition. */
  readonly failed: ReadonlyMap<number, unknown>;
}

/** Leaders that have moved are looked for so often. */
const ATTEMPTS = 4;
const PAUSE_MS = 150;

/**
 * Asks the leaders of a topic's partitions for offsets. One partition without a leader, or one leader that does not
 * answer, is no reason why the others' offsets should not be known.
 *
 * @param wanted which partitions; absent: all. One that does not exist is left out.
 * @throws TopicTroubleError where the topic is not there, or not for this user
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
      // A question about other topics, asked meanwhile, has replaced what the cluster knows.
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

/** @throws the error of the first partition of which the answer is missing */
export function assertAnswered(topic: string, { leaderless, failed }: OffsetAnswers): void {
  if (leaderless.length > 0) throw new TopicTroubleError(leaderlessPartitions(topic, leaderless));
  for (const [, error] of failed) throw error;
}

/** What is wrong with a topic as a whole, by its metadata; undefined: nothing. */
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

/** @returns undefined where the cluster knows nothing of the topic. @throws TopicTroubleError */
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

/** The metadata may be old, or those of a broker that is behind. */
function mayHaveMoved(error: unknown): boolean {
  return (
    isLeaderMoved(error) ||
    isConnectionTrouble(error) ||
    kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION'
  );
}
