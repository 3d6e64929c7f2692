/** The internals of kafkajs 2.2.4 that Penstock uses. `selfTest` checks only a few of them against the real ones. */

export interface RawMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** Membership in a consumer group, as TxnOffsetCommit v3 carries it to fence zombies (KIP-447). */
export interface GroupMembership {
  readonly generationId: number;
  readonly memberId: string;
}

/** A kafkajs `Encoder`, by the methods that are used. */
export interface Encoder {
  writeBoolean(value: boolean): Encoder;
  writeBuffer(value: Buffer): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number | string): Encoder;
  writeUVarIntString(value: string | null): Encoder;
  writeUVarIntArray(values: Encoder[] | null): Encoder;
  writeUVarIntBytes(value?: Buffer): Encoder;
}

/** A kafkajs `Decoder`, by the methods that are used. */
export interface Decoder {
  canReadBytes(length: number): boolean;
  readBoolean(): boolean;
  readBytes(length: number): Buffer;
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readUVarIntString(): string | null;
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[];
  readTaggedFields(): void;
}

/** A record as kafkajs hands it out. Its buffers are slices of the copied record set, or of a codec's output. */
export interface KafkaMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Milliseconds since the epoch, as decimal. */
  readonly timestamp: string;
  readonly offset: string;
  /** By name, without a prototype. */
  readonly headers?: Readonly<Record<string, Buffer | string | null>>;
  /** Number of headers beyond those. */
  readonly headersLeftOut?: number;
}

/** kafkajs' `Batch`: the records of one fetch and partition, without aborted and control records. */
export interface FetchedBatch {
  readonly topic: string;
  readonly partition: number;
  /** Offset that the fetch asked for. */
  readonly fetchedOffset: string;
  readonly highWatermark: string;
  readonly messages: readonly KafkaMessage[];
  /** All records of the fetch, with aborted and control records. */
  readonly rawMessages: readonly unknown[];
  /** Last offset covered, including control records; below `fetchedOffset` if there is none. */
  lastOffset(): string;
}

/** A batch whose record set has been fetched but not read. */
export interface PatchedBatch extends FetchedBatch {
  /** Reads records from `fetchedOffset` on, as many as `room` allows. Call it once. */
  read(room: FetchRoom): Promise<FetchedBatch & { readonly isHeldBack: boolean }>;
  /** Frees the record set. */
  drop(): void;
}

/** Memory in bytes for the records of one fetch; the first record is admitted up to `firstBytes`, even over `bytes`. */
export interface FetchRoom {
  readonly bytes: number;
  readonly firstBytes: number;
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: number[];
}

/** kafkajs' `ConsumerGroup`: the group member behind a `Consumer`, created anew after a crash. */
export interface OriginalConsumerGroup {
  readonly groupId: string;
  readonly generationId: number | null;
  readonly memberId: string | null;
  heartbeat(options: { interval: number }): Promise<void>;
  pause(topicPartitions: TopicPartitions[]): void;
  resume(topicPartitions: TopicPartitions[]): void;
  seek(position: { topic: string; partition: number; offset: string }): void;
  hasSeekOffset(position: { topic: string; partition: number }): boolean;
  commitOffsets(offsets: {
    topics: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[];
  }): Promise<void>;
}

/** kafkajs' `ConsumerGroup` with Penstock's changes (`consumer-group.ts`). */
export interface ConsumerGroupInstance extends OriginalConsumerGroup {
  /**
   * Send time of the last request whose answer showed that the coordinator knows this member, by `monotonicMs`;
   * -Infinity before the first. The coordinator cannot give its partitions to others until a session timeout later.
   */
  readonly heardMs: number;
  /**
   * Sends a heartbeat if the last one was answered at least `interval` ms ago. Concurrent calls share one. Rejects with
   * the coordinator's error, where kafkajs' own `heartbeat` rejoins.
   */
  beat(options: { interval: number }): Promise<void>;
  /** Subscribes to these topics only, from the next join on. Fetches their metadata first. */
  subscribe(topics: readonly string[]): Promise<void>;
  /** The group's commit for a partition, from its coordinator; offset -1: none. */
  committedOffset(of: {
    topic: string;
    partition: number;
  }): Promise<{ readonly offset: string; readonly metadata: string | null }>;
  /** A topic by the group's metadata, at most a minute old; undefined if missing there. */
  topicOf(topic: string): { readonly topicId?: string | undefined; readonly partitions: number } | undefined;
  refreshMetadata(): Promise<void>;
}

/** A message as kafkajs hands it to its Produce request. */
export interface ProduceMessage {
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<
    Record<string, Buffer | string | null | (Buffer | string | null)[] | undefined>
  >;
  /** Milliseconds since the epoch. */
  readonly timestamp?: string | number;
}

export interface ProducePartition {
  readonly partition: number;
  readonly messages: readonly ProduceMessage[];
  readonly firstSequence?: number;
}

/** Arguments of kafkajs' Produce request. */
export interface ProduceArguments {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string | null;
  readonly producerId?: unknown;
  readonly producerEpoch?: number;
  /** Codec of the record batch; 0 is none. */
  readonly compression?: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly ProducePartition[] }[];
}
