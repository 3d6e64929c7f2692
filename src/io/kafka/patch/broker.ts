import { type BrokerVersions, requireVersions } from '../broker-versions.ts';

interface Broker {
  /** Finds a request in the version that the broker takes. Throws until its versions are known. */
  readonly lookupRequest: unknown;
  readonly brokerAddress: string;
  readonly versions: BrokerVersions | null;
  connect(): Promise<void>;
  isConnected(): boolean;
}

/**
 * kafkajs' broker, which counts as connected only when it has said what it can do, and that is enough.
 *
 * For the original a connection is enough. A broker that took it and was silent, or hung up, then counts as connected
 * and fails each request with "Broker not connected", with nobody to ask it again: for as long as the client lives. And
 * it sends an old broker older requests, without what they lack.
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
