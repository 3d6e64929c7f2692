interface Broker {
  /** Finds a request in the version that the broker takes. Throws until its versions are known. */
  readonly lookupRequest: unknown;
  isConnected(): boolean;
}

/**
 * kafkajs' broker, which counts as connected only when it has said what it can do.
 *
 * For the original a connection is enough. A broker that took it and was silent, or hung up, then counts as connected
 * and fails each request with "Broker not connected", with nobody to ask it again: for as long as the client lives.
 */
export function acquaintedBroker(Original: new (...args: never[]) => Broker): unknown {
  return class AcquaintedBroker extends Original {
    readonly #stranger = this.lookupRequest;

    override isConnected(): boolean {
      return this.lookupRequest !== this.#stranger && super.isConnected();
    }
  };
}
