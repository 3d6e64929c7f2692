import { RetryableError } from '../../../core/model/errors.ts';
import { FatalKafkaError } from '../errors.ts';

/** What can be wrong with a topic, or with a partition of it: stable identifiers, as metrics name them. */
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
  /** What is wrong, where, and what to do. */
  readonly message: string;
}

/** What callers of kafkajs know the trouble by. */
const TYPES: Partial<Record<TroubleKind, string>> = {
  missing: 'UNKNOWN_TOPIC_OR_PARTITION',
  unauthorized: 'TOPIC_AUTHORIZATION_FAILED',
  no_leader: 'LEADER_NOT_AVAILABLE',
};

/** Something is wrong with one topic. What needs it waits; everything else goes on. */
export class TopicTroubleError extends RetryableError {
  override readonly name = 'TopicTroubleError';
  readonly trouble: TopicTrouble;
  /** The broker's name for it, as `kafkaErrorType` finds it. */
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

export function leaderlessPartitions(topic: string, partitions: readonly number[]): TopicTrouble {
  const names =
    partitions.length === 1 ? `partition ${partitions[0]}` : `partitions ${partitions.join(', ')}`;
  return {
    topic,
    kind: 'no_leader',
    message: `no broker leads ${names} of topic ${topic}: those that have a replica are away`,
  };
}

/** Whether nothing at all can be done with the topic. */
export function isAbsent({ kind }: TopicTrouble): boolean {
  return kind === 'missing' || kind === 'unauthorized';
}

/**
 * What a look has found of topics that another configuration needs. One that is in use already may be in trouble: that is
 * no reason to leave the rest as it is.
 *
 * @throws FatalKafkaError when another one is
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

/** The error of a process, or a command, that cannot do without these topics. */
export function unusableTopics(troubles: Iterable<TopicTrouble>): FatalKafkaError {
  return new FatalKafkaError([...new Set([...troubles].map(({ message }) => message))].join('; '));
}
