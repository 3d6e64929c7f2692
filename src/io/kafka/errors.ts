import { AssertionError } from 'node:assert';
import { DefectError } from '../../core/model/errors.ts';
import { certificateFault } from '../credentials/certificate-fault.ts';
import { saysLoginInterrupted, saysNotConnected } from './patch/messages.ts';

/** The members of a kafkajs error that Penstock decides by. */
interface KafkaErrorLike {
  readonly name?: string;
  readonly message?: string;
  readonly type?: string;
  readonly retriable?: boolean;
}

interface NamedError {
  readonly topic?: unknown;
  readonly partition?: unknown;
}

/** The partition belongs to another member now, or the process is stopping: give up its work, commit nothing. */
export class PartitionLostError extends Error {
  override readonly name = 'PartitionLostError';
}

/** The records at the position are gone (retention, or a topic created again). */
export class OffsetOutOfRangeError extends Error {
  override readonly name = 'OffsetOutOfRangeError';
}

/** A record batch that cannot be read. */
export interface UnreadableBatch {
  /** Offset of its first record. */
  readonly offset: bigint;
  /** Offset of the next batch, as far as it can be determined. */
  readonly nextOffset: bigint;
  /** The checksum that it carries. */
  readonly checksum: number;
  /** Its size in bytes. */
  readonly length: number;
  /** The batch as it was fetched, or the beginning of a large one. */
  readonly bytes: Buffer;
}

/** A record batch is corrupt or over the limits. Nothing after it is read until it is skipped. */
export class UnreadableBatchError extends Error {
  override readonly name = 'UnreadableBatchError';
  /** Undefined until the batch has been located in its record set. */
  readonly batch: UnreadableBatch | undefined;

  constructor(
    message: string,
    { batch, ...options }: ErrorOptions & { readonly batch?: UnreadableBatch } = {},
  ) {
    super(message, options);
    this.batch = batch;
  }
}

/** Kafka was asked for something that waiting cannot fix: a missing topic or partition, a refused login. */
export class FatalKafkaError extends Error {
  override readonly name: string = 'FatalKafkaError';
}

/** A range ends at a record batch that cannot be read. */
export class CorruptBatchError extends FatalKafkaError {
  readonly batch: UnreadableBatch | undefined;
  /** The fault of the batch. */
  readonly reason: string;

  constructor(
    message: string,
    { batch, reason }: { readonly batch: UnreadableBatch | undefined; readonly reason: string },
  ) {
    super(message);
    this.batch = batch;
    this.reason = reason;
  }
}

/** A broker refuses a record for its size. Without that record the others may pass. */
export class RecordsRefusedError extends FatalKafkaError {
  /** Short, stable identifier, as dead letters name it: `message_too_large`. */
  readonly reason: string;
  /** The topic whose leader refuses it, if known. */
  readonly topic: string | undefined;

  constructor(reason: string, message: string, options: ErrorOptions & { readonly topic?: string } = {}) {
    super(message, options);
    this.reason = reason;
    this.topic = options.topic;
  }
}

/** A login was refused: a password, a token, the client at the token endpoint. Another attempt alone does not help. */
export class KafkaLoginError extends Error {
  override readonly name = 'KafkaLoginError';
  /** Tells kafkajs to give up at once; whether to try again is decided here. */
  readonly retriable = false;
}

/** A commit was held back: the group has moved on to a generation in which the partition is not known to be ours. */
export class StaleMembershipError extends Error {
  override readonly name = 'StaleMembershipError';
  /** The error code the broker would return. */
  readonly type = 'REBALANCE_IN_PROGRESS';
}

const NOT_A_MEMBER = new Set([
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
]);
const COORDINATOR_MOVING = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);
/** The broker is no longer, or not yet, the leader of a partition. */
const LEADER_MOVED = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
]);
/** Errors on a broker's side, or while the cluster changes: transient. */
const SERVER_TROUBLE = new Set([
  ...NOT_A_MEMBER,
  ...COORDINATOR_MOVING,
  ...LEADER_MOVED,
  'UNKNOWN',
  'BROKER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'NOT_CONTROLLER',
  'KAFKA_STORAGE_ERROR',
]);
/** Answers to a producer whose transactional id another has taken over. */
const TAKEN_OVER = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING']);
const UNAUTHORIZED = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
]);
const LOGIN_REFUSED_TYPES = new Set(['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM']);
const LOGIN_REFUSED_NAMES = new Set(['KafkaJSSASLAuthenticationError', 'KafkaLoginError']);

/** Error classes of programming mistakes. */
const MISTAKES = [TypeError, RangeError, ReferenceError, AssertionError];

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
const CONNECTION_TROUBLE = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSNumberOfRetriesExceeded',
  // The token endpoint is away.
  'RetryableError',
]);

const UNANSWERED = new Set(['KafkaJSRequestTimeoutError', 'KafkaJSConnectionClosedError']);

/** An error and its causes, the outermost first. A chain may be a circle, so it ends after eight. */
export function* causesOf<E extends object>(error: unknown): Generator<E> {
  let at = error as (E & { readonly cause?: unknown }) | undefined;
  for (let depth = 0; at && depth < 8; depth += 1) {
    yield at;
    at = at.cause as typeof at;
  }
}

/** Kafka's name of an error (`ILLEGAL_GENERATION`), also inside kafkajs' wrappers; '' for any other error. */
export function kafkaErrorType(error: unknown): string {
  for (const { type } of causesOf<KafkaErrorLike>(error)) {
    if (typeof type === 'string' && type !== '') return type;
  }
  return '';
}

/** Topic and partition that an error is about (patch/partition-errors.ts); undefined if it names none. */
export function namedPartition(
  error: unknown,
): { readonly topic: string; readonly partition?: number } | undefined {
  for (const { topic, partition } of causesOf<NamedError>(error)) {
    if (typeof topic === 'string') return { topic, ...(typeof partition === 'number' ? { partition } : {}) };
  }
  return undefined;
}

/**
 * True for a bug in Penstock, which a retry would only repeat. Mistakes of kafkajs do not count: they come as
 * `ClientMistakeError` (patch/boundary.ts).
 */
export function isDefect(error: unknown): boolean {
  return error instanceof DefectError || MISTAKES.some((kind) => error instanceof kind);
}

/** A batch is over the topic's `max.message.bytes`. */
export function isTooLarge(error: unknown): boolean {
  return TOO_LARGE.has(kafkaErrorType(error));
}

/** True when brokers are down or do not answer: transient, retry. */
export function isConnectionTrouble(error: unknown): boolean {
  return someCause(
    error,
    (at) =>
      CONNECTION_TROUBLE.has(at.name ?? '') ||
      at.type === 'ILLEGAL_SASL_STATE' ||
      saysNotConnected(at.message ?? '') ||
      isInterruptedLogin(at),
  );
}

/** A broker took a request and did not answer it, or hung up: another one may. */
export function isUnanswered(error: unknown): boolean {
  const at = error as KafkaErrorLike;
  return UNANSWERED.has(at.name ?? '') || isInterruptedLogin(at);
}

/** True when the broker says that this process is not a member of the group in this generation. */
export function isMembershipError(error: unknown): boolean {
  return NOT_A_MEMBER.has(kafkaErrorType(error));
}

/**
 * True while the coordinator of a group or of transactions moves or is not ready, as with the first group of a cluster:
 * transient, retry. The request was not carried out, and no member has to rejoin.
 */
export function isCoordinatorMoving(error: unknown): boolean {
  return COORDINATOR_MOVING.has(kafkaErrorType(error));
}

/** True when the broker asked does not lead the partition: refresh the metadata. */
export function isLeaderMoved(error: unknown): boolean {
  return LEADER_MOVED.has(kafkaErrorType(error));
}

/** True when another producer has opened the same transactional id and fenced this one. */
export function isTakenOver(error: unknown): boolean {
  return TAKEN_OVER.has(kafkaErrorType(error));
}

/** True when a broker failed a valid request, or does not yet know a topic or leader: transient, retry. */
export function isServerTrouble(error: unknown): boolean {
  return SERVER_TROUBLE.has(kafkaErrorType(error));
}

/** True when the broker refuses this user: the operator has to act. */
export function isRefused(error: unknown): boolean {
  return isUnauthorized(error) || isLoginRefused(error);
}

/** True when the user is known but lacks the right (ACLs). */
export function isUnauthorized(error: unknown): boolean {
  return UNAUTHORIZED.has(kafkaErrorType(error));
}

/**
 * True when a password, token or certificate is rejected, on either side. At start-up that is a wrong configuration;
 * later it is a rotation that has not reached one side yet.
 */
export function isLoginRefused(error: unknown): boolean {
  if (certificateFault(error) !== undefined) return true;
  return someCause(
    error,
    (at) =>
      LOGIN_REFUSED_TYPES.has(at.type ?? '') ||
      (LOGIN_REFUSED_NAMES.has(at.name ?? '') && !isInterruptedLogin(at)),
  );
}

function isInterruptedLogin({ name, message }: KafkaErrorLike): boolean {
  return name === 'KafkaJSSASLAuthenticationError' && saysLoginInterrupted(message ?? '');
}

function someCause(error: unknown, holds: (error: KafkaErrorLike) => boolean): boolean {
  for (const at of causesOf<KafkaErrorLike>(error)) if (holds(at)) return true;
  return false;
}
