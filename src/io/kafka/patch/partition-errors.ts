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

interface ProduceAnswer {
  readonly topics: readonly { readonly topicName: string; readonly partitions: readonly Partition[] }[];
}

interface TransactionAnswer {
  readonly errors: readonly { readonly topic: string; readonly partitionErrors: readonly Partition[] }[];
}

/** OPERATION_NOT_ATTEMPTED: nothing is wrong with this one, but with another one that was asked for beside it. */
const NOT_ATTEMPTED = 55;

/** How kafkajs finds the errors in an answer. The first one that it finds is thrown. */
export interface AnswerFormat<T> {
  readonly parse: (answer: T) => Promise<T>;
}

/** LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, LISTENER_NOT_FOUND: nobody leads the partition, or not all follow. */
const WITHOUT_LEADER = new Set([5, 9, 72]);
/** UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED: the topic is not there, or not for this user. */
export const TOPIC_FAULTS: Readonly<Record<number, string>> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  29: 'TOPIC_AUTHORIZATION_FAILED',
};

/**
 * Metadata in which a partition may have no leader (it is -1, and nothing is fetched from there), and a topic may not be
 * there, or not for this user: it has no partitions, and `topicErrorCode` says why.
 *
 * The original takes either for an error of all that was asked for, and asks again: with one partition out of service, or
 * one topic deleted, nothing of any topic is read or written.
 */
export function tolerantMetadata(original: AnswerFormat<MetadataAnswer>): AnswerFormat<MetadataAnswer> {
  const parse = async (answer: MetadataAnswer) => {
    const usable = answer.topicMetadata
      .filter(({ topicErrorCode }) => TOPIC_FAULTS[topicErrorCode] === undefined)
      .map((topic) => ({
        ...topic,
        partitionMetadata: topic.partitionMetadata.filter(
          ({ partitionErrorCode }) => !WITHOUT_LEADER.has(partitionErrorCode),
        ),
      }));
    const faulty = usable.find(({ topicErrorCode }) => topicErrorCode !== 0);
    await naming(original.parse({ ...answer, topicMetadata: usable }), faulty && { topic: faulty.topic });
    return answer;
  };
  return { ...original, parse };
}

/** A fetch's answer whose error says which topic and partition it is about, as the original does for one kind alone. */
export function namedFetchErrors(original: AnswerFormat<FetchAnswer>): AnswerFormat<FetchAnswer> {
  const parse = (answer: FetchAnswer) => {
    const faulty = answer.responses.flatMap(({ topicName, partitions }) => faultyOf(topicName, partitions));
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

/** A Produce answer whose error says which topic and partition it is about. */
export function namedProduceErrors(original: AnswerFormat<ProduceAnswer>): AnswerFormat<ProduceAnswer> {
  const parse = (answer: ProduceAnswer) => {
    const faulty = answer.topics.flatMap(({ topicName, partitions }) => faultyOf(topicName, partitions));
    return naming(original.parse(answer), faulty[0]);
  };
  return { ...original, parse };
}

/** An AddPartitionsToTxn answer, the same; of several errors that which is the cause of the others is thrown. */
export function namedTransactionErrors(
  original: AnswerFormat<TransactionAnswer>,
): AnswerFormat<TransactionAnswer> {
  const parse = (answer: TransactionAnswer) => {
    const errors = answer.errors.map(({ topic, partitionErrors }) => ({
      topic,
      partitionErrors: partitionErrors.filter(({ errorCode }) => errorCode !== NOT_ATTEMPTED),
    }));
    const caused = errors.some(({ partitionErrors }) =>
      partitionErrors.some(({ errorCode }) => errorCode !== 0),
    );
    const told = caused ? { ...answer, errors } : answer;
    const faulty = told.errors.flatMap(({ topic, partitionErrors }) => faultyOf(topic, partitionErrors));
    return naming(original.parse(told), faulty[0]);
  };
  return { ...original, parse };
}

function faultyOf(topic: string, partitions: readonly Partition[]) {
  return partitions.filter(({ errorCode }) => errorCode !== 0).map(({ partition }) => ({ topic, partition }));
}

async function naming<T>(parsed: Promise<T>, where: object | undefined): Promise<T> {
  try {
    return await parsed;
  } catch (error) {
    throw Object.assign(error as Error, where);
  }
}
