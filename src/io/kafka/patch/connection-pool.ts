interface Connection {
  isConnected(): boolean;
}

type ConnectionClass = new (options: unknown) => Connection;

interface ConnectionPool {
  readonly pool: Connection[];
  getConnectionByRequest(protocol: { readonly request: { readonly apiKey: number } }): Promise<Connection>;
  getConnection(index?: number): Promise<Connection>;
}

/** API keys of JoinGroup and SyncGroup, which the broker answers when the whole group has joined. */
const REBALANCE_REQUESTS = new Set([11, 14]);
/** kafkajs has 0 for most requests and 1 for Fetch. */
const REBALANCE_CONNECTION = 2;

/**
 * kafkajs' connections to one broker, plus one for rebalances, opened at the first.
 *
 * A broker reads the next request of a connection only after it has answered the previous one. In kafkajs a JoinGroup,
 * which waits for all members, therefore blocks the heartbeats and commits of the partitions that stay.
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
