/** The parts of kafkajs 2.2.4's internals that Penstock reaches into. Held against the real ones by `selfTest`. */

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

/** A record as kafkajs hands it out. The buffers are slices of the fetch response. */
export interface KafkaMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Milliseconds since the epoch, as decimal. */
  readonly timestamp: string;
  readonly offset: string;
  /** By name, without a prototype: no name is special. */
  readonly headers?: Readonly<Record<string, Buffer | string | null>>;
  /** How many headers it had beyond those. */
  readonly headersLeftOut?: number;
}

/** A kafkajs `Batch`: what one fetch brought for one partition, aborted and control records taken out. */
export interface FetchedBatch {
  readonly topic: string;
  readonly partition: number;
  /** Offset that the fetch asked for. */
  readonly fetchedOffset: string;
  readonly highWatermark: string;
  readonly messages: readonly KafkaMessage[];
  /** What the fetch brought before aborted and control records were taken out. */
  readonly rawMessages: readonly unknown[];
  /** Last offset that the batch covers, control records included. Before the offset that was asked for: none. */
  lastOffset(): string;
}

/** A batch whose record set has come and is not read yet. */
export interface PatchedBatch extends FetchedBatch {
  /** Reads records from the offset that was asked for on, as many as take `bytes` of memory. Call it once. */
  read(room: FetchRoom): Promise<FetchedBatch & { readonly isHeldBack: boolean }>;
  /** Frees the record set. */
  drop(): void;
}

/** Bytes of memory that the records of one fetch may take: all of them; and the first, which comes however large it is. */
export interface FetchRoom {
  readonly bytes: number;
  readonly firstBytes: number;
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: number[];
}

/** A kafkajs `ConsumerGroup`: the group member behind one `Consumer`. A crash and restart makes a new one. */
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

/** The same with Penstock's changes (`consumer-group.ts`). */
export interface ConsumerGroupInstance extends OriginalConsumerGroup {
  /**
   * When the last request was sent by whose answer the coordinator showed that it knows this member, by `monotonicMs`;
   * before the first that is long ago. Only a session timeout later can it give the member's partitions to others.
   */
  readonly heardMs: number;
  /**
   * Sends a heartbeat when the last was answered `interval` (ms) ago; only then is the member heard. One is under way at a time: who calls meanwhile
   * shares it. Rejects with what the coordinator says; kafkajs' own `heartbeat` has the member join again instead.
   */
  beat(options: { interval: number }): Promise<void>;
  /** Asks which partitions these topics have. From the next join on the member says that it reads these, and no others. */
  subscribe(topics: readonly string[]): Promise<void>;
  /** What the group has committed for a partition, as its coordinator answers; an offset of -1 where it has nothing. */
  committedOffset(of: {
    topic: string;
    partition: number;
  }): Promise<{ readonly offset: string; readonly metadata: string | null }>;
  /** What its metadata say of a topic, a minute old at most; undefined where they do not have it. */
  topicOf(topic: string): { readonly topicId?: string | undefined; readonly partitions: number } | undefined;
  /** Asks for metadata now. */
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

/** What kafkajs hands to its Produce request. */
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
