interface Connection {
  isConnected(): boolean;
}

type ConnectionClass = new (options: unknown) => Connection;

interface ConnectionPool {
  readonly pool: Connection[];
  getConnectionByRequest(protocol: { readonly request: { readonly apiKey: number } }): Promise<Connection>;
  getConnection(index?: number): Promise<Connection>;
}

/** JoinGroup and SyncGroup: the broker answers them when the whole group has come. */
const REBALANCE_REQUESTS = new Set([11, 14]);
/** kafkajs has 0 for most requests and 1 for Fetch. */
const REBALANCE_CONNECTION = 2;

/**
 * kafkajs' connections to one broker, with one more for rebalances; it is opened at the first.
 *
 * A broker reads the next request of a connection when it has answered the one before. In kafkajs a JoinGroup, which
 * waits for all members, so holds up the heartbeats and commits of the partitions that stay.
 */
export function patchConnectionPool(
  Original: new (options: unknown) => ConnectionPool,
  Connection: ConnectionClass,
): unknown {
  return class PatchedConnectionPool extends Original {
    constructor(options: unknown) {
      super(options);
      this.pool[REBALANCE_CONNECTION] = new Connection(options);
    }

    override getConnectionByRequest(
      protocol: Parameters<ConnectionPool['getConnectionByRequest']>[0],
    ): Promise<Connection> {
      if (!REBALANCE_REQUESTS.has(protocol.request.apiKey)) return super.getConnectionByRequest(protocol);
      return this.getConnection(REBALANCE_CONNECTION);
    }
  };
}
