import type { BrokerVersions } from '../broker-versions.ts';
import { isCoordinatorMoving, kafkaErrorType } from '../errors.ts';
import { nameCoordinator } from '../unsettled-transaction.ts';

/** What kafkajs' transactions ask of a coordinator. */
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
/** What kafkajs' transactions ask of a cluster. */
interface Cluster {
  /** Undefined: kafkajs goes by its own default. */
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
 * for the one before. After any error but CONCURRENT_TRANSACTIONS it is asked for again. So that a coordinator that
 * moves costs no more than with the original, a request that the remembered one has surely not carried out (it cannot be
 * reached, or says that it is not the coordinator) goes to the one that is found then.
 */
export function patchTransactionManager<T>(
  original: (options: ManagerOptions<TransactionCluster>) => T,
): (options: ManagerOptions<Cluster>) => T {
  return (options) => original({ ...options, cluster: withKnownCoordinators(options.cluster) });
}

/** The same cluster, with coordinators that are looked up once. */
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
