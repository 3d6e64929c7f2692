import { type BrokerVersions, requireVersions } from './broker-versions.ts';

interface Broker {
  /** Finds a request in the version that the broker takes. Throws until its versions are known. */
  readonly lookupRequest: unknown;
  readonly brokerAddress: string;
  readonly versions: BrokerVersions | null;
  connect(): Promise<void>;
  isConnected(): boolean;
}

/**
 * kafkajs' broker, connected only once its API versions are known and recent enough.
 *
 * For the original a connection is enough: a broker that accepted it and then stayed silent or hung up counts as
 * connected, and every request fails with "Broker not connected" for as long as the client lives. It also sends old
 * brokers older request versions, without the guarantees of the newer ones.
 */
export function patchBroker(Original: new (...args: never[]) => Broker): unknown {
  return class PatchedBroker extends Original {
    readonly #stranger = this.lookupRequest;

    /** @throws FatalKafkaError when the broker is too old */
    override async connect(): Promise<void> {
      await super.connect();
      requireVersions(this.brokerAddress, this.versions ?? {});
    }

    override isConnected(): boolean {
      return this.lookupRequest !== this.#stranger && super.isConnected();
    }
  };
}
