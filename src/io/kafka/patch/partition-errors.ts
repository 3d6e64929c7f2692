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

/** Error of one partition in an OffsetCommit. */
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

/** OPERATION_NOT_ATTEMPTED: the fault is with another partition of the request. */
const NOT_ATTEMPTED = 55;

/** kafkajs' check of an answer for errors: throws the first. */
export interface AnswerFormat<T> {
  readonly parse: (answer: T) => Promise<T>;
}

/** LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, LISTENER_NOT_FOUND: no leader, or not all replicas are up. */
const WITHOUT_LEADER = new Set([5, 9, 72]);
/** Error codes of topics that are missing or not authorized. */
export const TOPIC_FAULTS: Readonly<Record<number, string>> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  29: 'TOPIC_AUTHORIZATION_FAILED',
};

/**
 * Accepts metadata with leaderless partitions (leader -1: nothing is fetched from them) and with missing or
 * unauthorized topics (no partitions, with the reason in `topicErrorCode`).
 *
 * The original fails and repeats the whole request for either: with one partition out of service or one topic deleted,
 * nothing of any topic is read or written.
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

/** Adds topic and partition to the error of a Fetch answer; the original does so for one kind of error only. */
export function namedFetchErrors(original: AnswerFormat<FetchAnswer>): AnswerFormat<FetchAnswer> {
  const parse = (answer: FetchAnswer) => {
    const faulty = answer.responses.flatMap(({ topicName, partitions }) => faultyOf(topicName, partitions));
    return naming(original.parse(answer), faulty[0]);
  };
  return { ...original, parse };
}

/**
 * Adds `refusals` to the error of an OffsetCommit answer: the failed partitions, with their errors. The others are
 * committed. The original throws the first error as if it applied to all.
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

/** Errors by partition of a failed OffsetCommit; undefined if it failed as a whole. */
export function commitRefusals(error: unknown): readonly CommitRefusal[] | undefined {
  return (error as { readonly refusals?: readonly CommitRefusal[] }).refusals;
}

/** Adds topic and partition to the error of a Produce answer. */
export function namedProduceErrors(original: AnswerFormat<ProduceAnswer>): AnswerFormat<ProduceAnswer> {
  const parse = (answer: ProduceAnswer) => {
    const faulty = answer.topics.flatMap(({ topicName, partitions }) => faultyOf(topicName, partitions));
    return naming(original.parse(answer), faulty[0]);
  };
  return { ...original, parse };
}

/** The same for AddPartitionsToTxn. OPERATION_NOT_ATTEMPTED is thrown only when there is no other error. */
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
