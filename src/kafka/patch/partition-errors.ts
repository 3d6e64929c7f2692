interface Partition {
  readonly partition: number;
  readonly errorCode: number;
}

interface FetchAnswer {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly Partition[] }[];
}

interface CommitAnswer {
  readonly responses: readonly { readonly topic: string; readonly partitions: readonly Partition[] }[];
}

/** Why the coordinator does not commit the offset of a partition. */
export interface CommitRefusal {
  readonly topic: string;
  readonly partition: number;
  readonly error: Error;
}

interface MetadataAnswer {
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly { readonly partitionErrorCode: number }[];
  }[];
}

/** How kafkajs finds the errors in an answer. The first one that it finds is thrown. */
export interface AnswerFormat<T> {
  readonly parse: (answer: T) => Promise<T>;
}

/** LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, LISTENER_NOT_FOUND: nobody leads the partition, or not all follow. */
const WITHOUT_LEADER = new Set([5, 9, 72]);

/**
 * Metadata in which a partition may have no leader: it is -1, and nothing is fetched from there.
 *
 * The original takes that for an error of all that was asked for, and asks again until every partition has one: with
 * one partition out of service nothing of any topic is read or written.
 */
export function leaderlessMetadata(original: AnswerFormat<MetadataAnswer>): AnswerFormat<MetadataAnswer> {
  const parse = async (answer: MetadataAnswer) => {
    const topicMetadata = answer.topicMetadata.map((topic) => ({
      ...topic,
      partitionMetadata: topic.partitionMetadata.filter(
        ({ partitionErrorCode }) => !WITHOUT_LEADER.has(partitionErrorCode),
      ),
    }));
    const faulty = topicMetadata.find(({ topicErrorCode }) => topicErrorCode !== 0);
    await naming(original.parse({ ...answer, topicMetadata }), faulty && { topic: faulty.topic });
    return answer;
  };
  return { ...original, parse };
}

/** A fetch's answer whose error says which topic and partition it is about, as the original does for one kind alone. */
export function namedFetchErrors(original: AnswerFormat<FetchAnswer>): AnswerFormat<FetchAnswer> {
  const parse = (answer: FetchAnswer) => {
    const faulty = answer.responses.flatMap(({ topicName, partitions }) =>
      partitions
        .filter(({ errorCode }) => errorCode !== 0)
        .map(({ partition }) => ({ topic: topicName, partition })),
    );
    return naming(original.parse(answer), faulty[0]);
  };
  return { ...original, parse };
}

/**
 * An OffsetCommit's answer whose error has `refusals`: of which partitions, and why. The others are committed. The
 * original throws the first one as if it were that of all.
 */
export function separateCommitErrors(
  original: AnswerFormat<CommitAnswer>,
  errorOf: (code: number) => Error,
): AnswerFormat<CommitAnswer> {
  const parse = (answer: CommitAnswer) => {
    const refusals = answer.responses.flatMap(({ topic, partitions }) =>
      partitions
        .filter(({ errorCode }) => errorCode !== 0)
        .map(({ partition, errorCode }): CommitRefusal => ({ topic, partition, error: errorOf(errorCode) })),
    );
    return naming(original.parse(answer), { refusals });
  };
  return { ...original, parse };
}

/** What a failed OffsetCommit says of each partition; undefined where it failed as a whole. */
export function commitRefusals(error: unknown): readonly CommitRefusal[] | undefined {
  return (error as { readonly refusals?: readonly CommitRefusal[] }).refusals;
}

async function naming<T>(parsed: Promise<T>, where: object | undefined): Promise<T> {
  try {
    return await parsed;
  } catch (error) {
    throw Object.assign(error as Error, where);
  }
}
