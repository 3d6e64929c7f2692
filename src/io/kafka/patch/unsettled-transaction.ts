import { RetryableError } from '../../../core/model/errors.ts';
import { causesOf, kafkaErrorType } from '../errors.ts';
import { type BrokerVersions, isSteady, STEADY_KAFKA } from './broker-versions.ts';

/** The coordinator of a transactional id. */
export interface TransactionCoordinator {
  readonly nodeId: string;
  /** `host:port`. */
  readonly brokerAddress: string;
  readonly versions: BrokerVersions | null;
}

const COORDINATOR = Symbol('penstock.coordinator');
interface AnsweredError {
  readonly [COORDINATOR]?: TransactionCoordinator;
}

/**
 * The last transaction of a transactional id has not been completed by its coordinator within the time waited. Work
 * that needs the id waits: only the coordinator can complete it.
 */
export class UnsettledTransactionError extends RetryableError {
  override readonly name = 'UnsettledTransactionError';
  /** Kafka's error name, for `kafkaErrorType`. */
  readonly type = 'CONCURRENT_TRANSACTIONS';
  readonly transactionalId: string;

  constructor(transactionalId: string, cause: unknown) {
    super(describe(transactionalId, coordinatorOf(cause)), { cause });
    this.transactionalId = transactionalId;
  }
}

/** Replaces CONCURRENT_TRANSACTIONS by an error that says what to do; returns any other error as it is. */
export function transactionError(error: unknown, transactionalId: string): unknown {
  if (kafkaErrorType(error) !== 'CONCURRENT_TRANSACTIONS') return error;
  return new UnsettledTransactionError(transactionalId, error);
}

/** Attaches the coordinator to an error that it answered. */
export function nameCoordinator(error: unknown, coordinator: TransactionCoordinator): void {
  Object.assign(error as object, { [COORDINATOR]: coordinator });
}

function coordinatorOf(error: unknown): TransactionCoordinator | undefined {
  for (const { [COORDINATOR]: coordinator } of causesOf<AnsweredError>(error)) {
    if (coordinator !== undefined) return coordinator;
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
