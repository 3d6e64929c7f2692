import { RetryableError } from '../../../core/model/errors.ts';
import { causesOf, isCoordinatorMoving, kafkaErrorType } from '../errors.ts';
import { type BrokerVersions, isSteady, STEADY_KAFKA } from './broker.ts';

/** Coordinator requests of kafkajs' transactions. */
interface Coordinator {
  readonly nodeId: string;
  readonly brokerAddress: string;
  readonly versions: BrokerVersions | null;
  initProducerId(request: object): Promise<unknown>;
  addPartitionsToTxn(request: object): Promise<unknown>;
  addOffsetsToTxn(request: object): Promise<unknown>;
  txnOffsetCommit(request: object): Promise<unknown>;
  endTxn(request: object): Promise<unknown>;
}
type RequestName = Exclude<keyof Coordinator, 'nodeId' | 'brokerAddress' | 'versions'>;

interface CoordinatorKey {
  readonly groupId: string;
  readonly coordinatorType: number;
}
/** The cluster as kafkajs' transactions use it. */
interface Cluster {
  /** Undefined: kafkajs' default. */
  readonly retry: unknown;
  findGroupCoordinator(key: CoordinatorKey): Promise<Coordinator>;
  /** Connects to the broker if needed. */
  findBroker(node: { readonly nodeId: string }): Promise<Coordinator>;
  refreshMetadataIfNecessary(): Promise<void>;
  findControllerBroker(): Promise<unknown>;
}
type TransactionCluster = Omit<Cluster, 'findBroker'>;
interface ManagerOptions<C> {
  readonly cluster: C;
}

/**
 * kafkajs' transaction manager with remembered coordinators.
 *
 * The original looks up the coordinator four times per transaction: four of nine requests, each of which waits for the
 * one before. Here it is looked up again after any error but CONCURRENT_TRANSACTIONS. A request that the remembered
 * coordinator certainly did not carry out (unreachable, or it says that it is not the coordinator) is repeated at the
 * one found then, so a moving coordinator costs no more than in the original.
 */
export function patchTransactionManager<T>(
  original: (options: ManagerOptions<TransactionCluster>) => T,
): (options: ManagerOptions<Cluster>) => T {
  return (options) => original({ ...options, cluster: withKnownCoordinators(options.cluster) });
}

/** The cluster with cached coordinators. */
export function withKnownCoordinators(cluster: Cluster): TransactionCluster {
  const nodes = new Map<string, string>();
  const findGroupCoordinator = async (key: CoordinatorKey): Promise<Coordinator> => {
    const name = `${key.coordinatorType} ${key.groupId}`;
    const find = async (): Promise<Coordinator> => {
      const broker = await cluster.findGroupCoordinator(key);
      nodes.set(name, broker.nodeId);
      return broker;
    };
    const remembered = async (): Promise<Coordinator | undefined> => {
      const nodeId = nodes.get(name);
      if (nodeId === undefined) return undefined;
      try {
        return await cluster.findBroker({ nodeId });
      } catch {
        return undefined; // nothing was asked of it yet
      }
    };
    const known = await remembered();
    const broker = known ?? (await find());
    const ask = (request: RequestName) => async (body: object) => {
      try {
        return await broker[request](body);
      } catch (error) {
        if (kafkaErrorType(error) === 'CONCURRENT_TRANSACTIONS') nameCoordinator(error, broker);
        else nodes.delete(name);
        if (broker !== known || !isCoordinatorMoving(error)) throw error;
        return await (await find())[request](body);
      }
    };
    return {
      nodeId: broker.nodeId,
      brokerAddress: broker.brokerAddress,
      versions: broker.versions,
      initProducerId: ask('initProducerId'),
      addPartitionsToTxn: ask('addPartitionsToTxn'),
      addOffsetsToTxn: ask('addOffsetsToTxn'),
      txnOffsetCommit: ask('txnOffsetCommit'),
      endTxn: ask('endTxn'),
    };
  };
  return {
    retry: cluster.retry,
    findGroupCoordinator,
    refreshMetadataIfNecessary: () => cluster.refreshMetadataIfNecessary(),
    findControllerBroker: () => cluster.findControllerBroker(),
  };
}

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
