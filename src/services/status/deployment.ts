/** A process that reads: a worker, a drain. */
export interface Reader {
  readonly member: string;
  readonly client: string;
  readonly host: string;
  readonly partitions: readonly number[];
}

/** Position of a group in one of its partitions. */
export interface PartitionLag {
  readonly partition: number;
  /** Records between the committed offset, or the oldest kept, and the end; transaction markers count as records. */
  readonly lag: number;
  /** Next offset to read; null before the first commit. */
  readonly committed: number | null;
  readonly end: number;
  /** Id of the member that reads it; null: none does. */
  readonly member: string | null;
}

/** A consumer group on one topic. */
export interface ReadingGroup {
  readonly topic: string;
  readonly topic_exists: boolean;
  readonly group: string;
  readonly state: string;
  readonly members: readonly Reader[];
  readonly partitions: readonly PartitionLag[];
  readonly lag: number;
  readonly max_lag: number;
  /** Age in seconds of the oldest record that waits; 0 if none does, null if unknown. */
  readonly lag_seconds: number | null;
  /** Partitions that a member reads without progress: records wait, and nothing was committed between two looks. */
  readonly stuck: readonly number[];
  /** Partitions of this group that no member reads. */
  readonly unread: readonly number[];
}

export interface NodeStatus {
  readonly node: string;
  readonly url: string;
  readonly tasks: number;
  readonly lag: number;
  readonly max_lag: number;
  /** The node's answer to an empty request from here, if its drains make no progress; else absent. */
  readonly answer?: string;
  readonly topics: readonly (ReadingGroup & {
    readonly routes: readonly string[];
    readonly tasks: readonly number[];
  })[];
}

/** Group of a node that is not configured, left behind on a task topic. */
export interface LeftoverStatus {
  readonly node: string;
  readonly topic: string;
  readonly group: string;
  /** A drain of it still runs. */
  readonly live: boolean;
  /** Partitions whose next owner begins at this group's offset. */
  readonly needed_for: readonly number[];
}

/** A running deployment, seen from Kafka. Keys are those of `penstock status --json`. */
export interface DeploymentStatus {
  /** The workers' group on each of the ingest topics, in the order of the configuration. */
  readonly ingest: readonly ReadingGroup[];
  readonly nodes: readonly NodeStatus[];
  readonly leftovers: readonly LeftoverStatus[];
  /**
   * Offsets that the dead-letter topic keeps, so no fewer than its letters: markers of redrives and transactions have
   * some too. Null: it does not exist.
   */
  readonly dead_letters: { readonly topic: string; readonly records: number | null };
  /** Problems for the operator, one sentence each. */
  readonly problems: readonly string[];
}
