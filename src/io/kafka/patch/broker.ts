import { FatalKafkaError } from '../errors.ts';

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

/** A broker's ApiVersions answer, by API key. */
export type BrokerVersions = Readonly<Record<number, { readonly maxVersion: number }>>;

/** The oldest Kafka that has the requests below. */
export const OLDEST_KAFKA = '2.5';
/**
 * The oldest Kafka that ends every transaction. Older coordinators reload their transactions when another broker goes
 * or comes back, and can lose some of them in the process: KAFKA-15468 and KAFKA-16352.
 */
export const STEADY_KAFKA = '3.8';

const TXN_OFFSET_COMMIT = 28;
/** Version of TxnOffsetCommit that `STEADY_KAFKA` introduced: brokers that have it are new enough. */
const STEADY_VERSION = 4;

/** Request versions, by API key, without which a step could be published twice. */
const NEEDED: Readonly<
  Record<number, { readonly name: string; readonly version: number; readonly for: string }>
> = {
  9: { name: 'OffsetFetch', version: 7, for: 'reads offsets of transactions that are settled' },
  [TXN_OFFSET_COMMIT]: {
    name: 'TxnOffsetCommit',
    version: 3,
    for: 'refuses a process that has lost its partition',
  },
};

/**
 * Refuses a broker that is too old, by its ApiVersions answer.
 *
 * @throws FatalKafkaError
 */
export function requireVersions(broker: string, versions: BrokerVersions): void {
  for (const [key, { name, version, for: what }] of Object.entries(NEEDED)) {
    const { maxVersion } = versions[Number(key)] ?? { maxVersion: -1 };
    if (maxVersion >= version) continue;
    const has = maxVersion < 0 ? `has no ${name}` : `has ${name} up to version ${maxVersion}`;
    throw new FatalKafkaError(
      `Kafka at ${broker} is too old: it ${has}, and version ${version}, which ${what}, is needed. ` +
        `All brokers have to be Kafka ${OLDEST_KAFKA} or newer.`,
    );
  }
}

/** True for a broker that ends every transaction it coordinates (`STEADY_KAFKA`). */
export function isSteady(versions: BrokerVersions): boolean {
  return (versions[TXN_OFFSET_COMMIT]?.maxVersion ?? -1) >= STEADY_VERSION;
}
