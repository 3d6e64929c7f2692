import { FatalKafkaError } from './errors.ts';

/** What a broker answers ApiVersions, by the key of each request. */
export type BrokerVersions = Readonly<Record<number, { readonly maxVersion: number }>>;

/** The oldest Kafka that has the requests below. */
export const OLDEST_KAFKA = '2.5';
/**
 * The oldest Kafka that ends every transaction. Older ones read their transactions again when another broker goes or comes
 * back, and can lose sight of some of them over it: KAFKA-15468 and KAFKA-16352.
 */
export const STEADY_KAFKA = '3.8';

const TXN_OFFSET_COMMIT = 28;
/** TxnOffsetCommit as `STEADY_KAFKA` has it, and none before. */
const STEADY_VERSION = 4;

/** Requests in versions without which a step could be published twice, by their keys in Kafka's protocol. */
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
 * Refuses a broker that is too old, by what it says itself.
 *
 * @param versions what it answers ApiVersions, by key
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

/** Whether a broker ends every transaction that it coordinates. */
export function isSteady(versions: BrokerVersions): boolean {
  return (versions[TXN_OFFSET_COMMIT]?.maxVersion ?? -1) >= STEADY_VERSION;
}
