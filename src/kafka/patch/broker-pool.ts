interface Address {
  readonly host: string;
  readonly port: number;
}

interface Broker {
  readonly connectionPool: Address;
  disconnect(): Promise<void>;
}

interface BrokerPool {
  readonly brokers: Readonly<Record<string, Broker>>;
  removeBroker(address: Address): void;
}

/**
 * kafkajs' pool of brokers, which closes what it drops.
 *
 * A broker is dropped when one of the connections to it has broken. In the original the others stay open, unknown to
 * anybody, and keep the process from ending.
 */
export function closingBrokerPool(Original: new (...args: never[]) => BrokerPool): unknown {
  return class ClosingBrokerPool extends Original {
    override removeBroker(address: Address): void {
      const dropped = Object.values(this.brokers).find(
        ({ connectionPool: { host, port } }) => host === address.host && port === address.port,
      );
      super.removeBroker(address);
      void dropped?.disconnect().catch(() => undefined);
    }
  };
}
