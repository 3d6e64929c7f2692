import { RetryableError } from '../../../core/model/errors.ts';
import { FatalKafkaError } from '../errors.ts';

/** Faults of a topic or its partitions: stable identifiers, also used in metrics. */
export type TroubleKind =
  | 'missing'
  | 'unauthorized'
  | 'too_few_partitions'
  | 'no_leader'
  | 'too_few_replicas'
  | 'small_max_message_bytes'
  | 'records_refused';

export interface TopicTrouble {
  readonly topic: string;
  readonly kind: TroubleKind;
  /** The fault, where it is, and what to do. */
  readonly message: string;
}

/** Kafka's error names of faults. */
const TYPES: Partial<Record<TroubleKind, string>> = {
  missing: 'UNKNOWN_TOPIC_OR_PARTITION',
  unauthorized: 'TOPIC_AUTHORIZATION_FAILED',
  no_leader: 'LEADER_NOT_AVAILABLE',
};

/** Fault of one topic. Work that needs the topic waits; everything else goes on. */
export class TopicTroubleError extends RetryableError {
  override readonly name = 'TopicTroubleError';
  readonly trouble: TopicTrouble;
  /** Kafka's error name, for `kafkaErrorType`; '' if there is none. */
  readonly type: string;

  constructor(trouble: TopicTrouble, options?: ErrorOptions) {
    super(trouble.message, options);
    this.trouble = trouble;
    this.type = TYPES[trouble.kind] ?? '';
  }
}

export function missingTopic(topic: string): TopicTrouble {
  return {
    topic,
    kind: 'missing',
    message: `topic ${topic} does not exist; "penstock topics apply" with the same configuration creates it`,
  };
}

export function unauthorizedTopic(topic: string, what: string): TopicTrouble {
  return {
    topic,
    kind: 'unauthorized',
    message: `this user may not ${what} topic ${topic}; it needs the right to (ACLs, docs/guides/security.md)`,
  };
}

export function tooFewPartitions(topic: string, has: number, needs: number): TopicTrouble {
  return {
    topic,
    kind: 'too_few_partitions',
    message: `topic ${topic} has ${has} partitions, and ${needs} are needed; "penstock topics apply" adds the others`,
  };
}

export function leaderlessPartitions(topic: string, partitions: readonly number[]): TopicTrouble {
  const names =
    partitions.length === 1 ? `partition ${partitions[0]}` : `partitions ${partitions.join(', ')}`;
  return {
    topic,
    kind: 'no_leader',
    message: `no broker leads ${names} of topic ${topic}: those that have a replica are away`,
  };
}

/** True if nothing at all can be done with the topic. */
export function isAbsent({ kind }: TopicTrouble): boolean {
  return kind === 'missing' || kind === 'unauthorized';
}

/**
 * Checks the topics of a new configuration. Topics already in use may have faults: that must not block a reload.
 *
 * @throws FatalKafkaError when any other topic has a fault
 */
export function assertNewUsable(
  found: Iterable<readonly [topic: string, state: { readonly trouble: TopicTrouble | undefined }]>,
  used: ReadonlySet<string>,
): void {
  const troubles = [...found].flatMap(([topic, { trouble }]) =>
    trouble === undefined || used.has(topic) ? [] : trouble,
  );
  if (troubles.length > 0) throw unusableTopics(troubles);
}

/** Error of a process or command that cannot work without these topics. */
export function unusableTopics(troubles: Iterable<TopicTrouble>): FatalKafkaError {
  return new FatalKafkaError([...new Set([...troubles].map(({ message }) => message))].join('; '));
}
