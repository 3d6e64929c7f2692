import { kafkaErrorType } from '../errors.ts';

/** What kafkajs' transactions ask of a coordinator. */
interface Coordinator {
  readonly nodeId: string;
  initProducerId(request: object): Promise<unknown>;
  addPartitionsToTxn(request: object): Promise<unknown>;
  addOffsetsToTxn(request: object): Promise<unknown>;
  txnOffsetCommit(request: object): Promise<unknown>;
  endTxn(request: object): Promise<unknown>;
}
interface CoordinatorKey {
  readonly groupId: string;
  readonly coordinatorType: number;
}
/** What kafkajs' transactions ask of a cluster. */
interface Cluster {
  readonly retry: unknown;
  findGroupCoordinator(key: CoordinatorKey): Promise<Coordinator>;
  /** Connected, whatever it takes. */
  findBroker(node: { readonly nodeId: string }): Promise<Coordinator>;
  refreshMetadataIfNecessary(): Promise<void>;
  findControllerBroker(): Promise<unknown>;
}
type TransactionCluster = Omit<Cluster, 'findBroker'>;
interface ManagerOptions<C> {
  readonly cluster: C;
}

/**
 * kafkajs' state of a transactional producer, made to remember who its coordinators are.
 *
 * The original asks a broker for the coordinator four times a transaction: four of nine requests, each of which waits
 * for the one before (bench/README.md). One is forgotten, and looked for again, at any error but the one by which it
 * says that it still completes the transaction before.
 */
export function rememberingManager<T>(
  original: (options: ManagerOptions<TransactionCluster>) => T,
): (options: ManagerOptions<Cluster>) => T {
  return (options) => original({ ...options, cluster: withKnownCoordinators(options.cluster) });
}

/** The same cluster, with coordinators that are looked up once. */
export function withKnownCoordinators(cluster: Cluster): TransactionCluster {
  const nodes = new Map<string, string>();
  const findGroupCoordinator = async (key: CoordinatorKey): Promise<Coordinator> => {
    const name = `${key.coordinatorType} ${key.groupId}`;
    const forgetting = async <R>(answer: Promise<R>): Promise<R> => {
      try {
        return await answer;
      } catch (error) {
        if (kafkaErrorType(error) !== 'CONCURRENT_TRANSACTIONS') nodes.delete(name);
        throw error;
      }
    };
    const nodeId = nodes.get(name);
    const broker = await (nodeId === undefined
      ? cluster.findGroupCoordinator(key)
      : forgetting(cluster.findBroker({ nodeId })));
    nodes.set(name, broker.nodeId);
    return {
      nodeId: broker.nodeId,
      initProducerId: (request) => forgetting(broker.initProducerId(request)),
      addPartitionsToTxn: (request) => forgetting(broker.addPartitionsToTxn(request)),
      addOffsetsToTxn: (request) => forgetting(broker.addOffsetsToTxn(request)),
      txnOffsetCommit: (request) => forgetting(broker.txnOffsetCommit(request)),
      endTxn: (request) => forgetting(broker.endTxn(request)),
    };
  };
  return {
    retry: cluster.retry,
    findGroupCoordinator,
    refreshMetadataIfNecessary: () => cluster.refreshMetadataIfNecessary(),
    findControllerBroker: () => cluster.findControllerBroker(),
  };
}
