import { RetryableError } from '../../core/model/errors.ts';
import { type BrokerVersions, isSteady, STEADY_KAFKA } from './broker-versions.ts';
import { kafkaErrorType } from './errors.ts';

/** The broker that coordinates a transactional id, as kafkajs knows it. */
export interface TransactionCoordinator {
  readonly nodeId: string;
  /** `host:port`. */
  readonly brokerAddress: string;
  readonly versions: BrokerVersions | null;
}

const COORDINATOR = Symbol('penstock.coordinator');
interface NamedError {
  readonly [COORDINATOR]?: TransactionCoordinator;
  readonly cause?: unknown;
}

/**
 * The last transaction of an id is decided, and its coordinator has not ended it for as long as that was waited for. What
 * needs the id waits; only the coordinator can end it.
 */
export class UnsettledTransactionError extends RetryableError {
  override readonly name = 'UnsettledTransactionError';
  /** The broker's name for it, as `kafkaErrorType` finds it. */
  readonly type = 'CONCURRENT_TRANSACTIONS';
  readonly transactionalId: string;

  constructor(transactionalId: string, cause: unknown) {
    super(describe(transactionalId, coordinatorOf(cause)), { cause });
    this.transactionalId = transactionalId;
  }
}

/** The error of a transaction, which says what to do where it is that the one before has not ended. */
export function transactionError(error: unknown, transactionalId: string): unknown {
  if (kafkaErrorType(error) !== 'CONCURRENT_TRANSACTIONS') return error;
  return new UnsettledTransactionError(transactionalId, error);
}

/** Notes in an answer whose it is. */
export function nameCoordinator(error: unknown, coordinator: TransactionCoordinator): void {
  Object.assign(error as object, { [COORDINATOR]: coordinator });
}

function coordinatorOf(error: unknown): TransactionCoordinator | undefined {
  for (let at = error as NamedError | undefined, depth = 0; at && depth < 8; depth += 1) {
    if (at[COORDINATOR] !== undefined) return at[COORDINATOR];
    at = at.cause as NamedError | undefined;
  }
  return undefined;
}

function describe(transactionalId: string, coordinator: TransactionCoordinator | undefined): string {
  const who =
    coordinator === undefined
      ? 'its coordinator'
      : `broker ${coordinator.nodeId} (${coordinator.brokerAddress}), which coordinates it,`;
  const forgets =
    coordinator === undefined || isSteady(coordinator.versions ?? {})
      ? ''
      : `: Kafka before ${STEADY_KAFKA}, as this one, can lose sight of a transaction when a broker goes or comes back`;
  return (
    `Kafka does not end the last transaction of ${transactionalId}: ${who} answers CONCURRENT_TRANSACTIONS. ` +
    'It cannot while a partition that the transaction wrote to, or of __consumer_offsets, has no leader or too few ' +
    `replicas in sync: look for those first. If there are none, restart that broker${forgets} (docs/operations/runbooks.md)`
  );
}
