import { KafkaSetupError } from './errors.ts';

/** The oldest Kafka that has the requests below. */
export const OLDEST_KAFKA = '2.5';

/** Requests in versions without which a step could be published twice, by their keys in Kafka's protocol. */
const NEEDED: Readonly<
  Record<number, { readonly name: string; readonly version: number; readonly for: string }>
> = {
  9: { name: 'OffsetFetch', version: 7, for: 'reads offsets of transactions that are settled' },
  28: { name: 'TxnOffsetCommit', version: 3, for: 'refuses a process that has lost its partition' },
};

/**
 * Refuses a broker that is too old, by what it says itself.
 *
 * @param versions what it answers ApiVersions, by key
 * @throws KafkaSetupError
 */
export function requireVersions(
  broker: string,
  versions: Readonly<Record<number, { readonly maxVersion: number }>>,
): void {
  for (const [key, { name, version, for: what }] of Object.entries(NEEDED)) {
    const { maxVersion } = versions[Number(key)] ?? { maxVersion: -1 };
    if (maxVersion >= version) continue;
    const has = maxVersion < 0 ? `has no ${name}` : `has ${name} up to version ${maxVersion}`;
    throw new KafkaSetupError(
      `Kafka at ${broker} is too old: it ${has}, and version ${version}, which ${what}, is needed. ` +
        `All brokers have to be Kafka ${OLDEST_KAFKA} or newer.`,
    );
  }
}
