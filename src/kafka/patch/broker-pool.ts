interface Broker {
  readonly connectionPool: { readonly pool: readonly { readonly silent?: boolean }[] };
  isConnected(): boolean;
}

type Question = (answerer: { nodeId: string; broker: Broker }) => Promise<unknown>;

interface BrokerPool {
  /** By node id. */
  readonly brokers: Readonly<Record<string, Broker>>;
  findBroker(options: { nodeId: string }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker>;
  withBroker(question: Question): Promise<unknown>;
}

/**
 * kafkajs' brokers of a cluster, of which one that hangs is asked last what any of them knows: metadata, and who
 * coordinates. A step of a transaction asks that several times, and the original asks whichever comes.
 *
 * A broker that cannot be reached is passed over. The original then asks no other one.
 */
export function talkativeFirst(
  Original: new (...args: never[]) => BrokerPool,
  shuffle: (ids: string[]) => string[],
): unknown {
  return class TalkativeFirst extends Original {
    override async findConnectedBroker(): Promise<Broker> {
      const { brokers } = this;
      const nodeId = shuffle(Object.keys(brokers)).find((id) => {
        return brokers[id]!.isConnected() && !isSilent(brokers[id]!);
      });
      return nodeId === undefined ? super.findConnectedBroker() : this.findBroker({ nodeId });
    }

    override async withBroker(question: Question): Promise<unknown> {
      const { brokers } = this;
      const ids = shuffle(Object.keys(brokers)).sort(
        (a, b) => Number(isSilent(brokers[a]!)) - Number(isSilent(brokers[b]!)),
      );
      if (ids.length === 0) return super.withBroker(question); // says so
      let reached = false;
      let failure: unknown;
      for (const nodeId of ids) {
        try {
          const broker = await this.findBroker({ nodeId });
          reached = true;
          return await question({ nodeId, broker });
        } catch (error) {
          failure = error;
        }
      }
      if (!reached) throw failure;
      return null; // kafkajs' word for "nobody knows"
    }
  };
}

function isSilent({ connectionPool }: Broker): boolean {
  return connectionPool.pool.some(({ silent }) => silent);
}
