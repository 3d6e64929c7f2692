import { createHash, type Hash } from 'node:crypto';

/** Number of records in each partition of a topic, and a digest of their offsets and values. */
export class PartitionDigests {
  records = 0;
  readonly #partitions = new Map<number, { records: number; readonly hash: Hash }>();

  /** Call it in the order of each partition. */
  add(partition: number, offset: string, value: Buffer): void {
    const entry = this.#partitions.get(partition) ?? { records: 0, hash: createHash('sha256') };
    this.#partitions.set(partition, entry);
    entry.records += 1;
    this.records += 1;
    entry.hash.update(`${offset} ${value.length} `).update(value);
  }

  /** Partitions that differ, each with both counts. */
  differences(other: PartitionDigests): string[] {
    const ids = new Set([...this.#partitions.keys(), ...other.#partitions.keys()]);
    return [...ids].flatMap((id) => {
      const [mine, theirs] = [this.#partitions.get(id), other.#partitions.get(id)];
      if (digest(mine?.hash) === digest(theirs?.hash)) return [];
      return [`partition ${id}: ${mine?.records ?? 0} and ${theirs?.records ?? 0} records`];
    });
  }
}

/** Of a copy: a hash gives its digest once. */
function digest(hash: Hash | undefined): string {
  return hash?.copy().digest('hex') ?? '';
}
