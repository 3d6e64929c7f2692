import type { Decoder, Encoder, GroupMembership } from './types.ts';

interface CommitArguments {
  readonly transactionalId: string;
  readonly groupId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly topics: readonly CommitTopic[];
}
interface CommitTopic {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly offset: string;
    /** Kept with the offset. kafkajs' own versions send none. */
    readonly metadata?: string;
  }[];
}
interface RequestDefinitions {
  readonly versions: string[];
  protocol(options: { version: number }): unknown;
}
interface Response {
  readonly throttleTime: number;
  readonly topics: { topic: string | null; partitions: { partition: number; errorCode: number }[] }[];
}
interface Protocol {
  readonly Encoder: new () => Encoder;
  readonly Decoder: new (data: Buffer) => Decoder;
  readonly createErrorFromCode: (code: number) => Error;
}

const API_KEY = 28;
const NO_LEADER_EPOCH = -1;

/**
 * Membership by `topics` array of the offsets about to be sent. kafkajs passes the array down to the request by
 * reference; there is no other way to carry a value through its producer.
 */
const membershipOf = new WeakMap<readonly unknown[], GroupMembership>();

/** Sets the membership under which `topics` will be committed. */
export function withMembership<T extends readonly unknown[]>(topics: T, membership: GroupMembership): T {
  membershipOf.set(topics, membership);
  return topics;
}

/**
 * Adds TxnOffsetCommit v3 to kafkajs' table, which ends at v1.
 *
 * v1 fences by producer epoch alone; v3 carries generation and member id, so that the broker answers
 * ILLEGAL_GENERATION or UNKNOWN_MEMBER_ID to a process that has lost the partition (KIP-447).
 * Message format: Kafka protocol guide, TxnOffsetCommit (key 28), version 3, flexible.
 */
export function extendTxnOffsetCommit(original: RequestDefinitions, protocol: Protocol): RequestDefinitions {
  return {
    versions: [...original.versions, '2', '3'],
    protocol: ({ version }) => {
      if (version >= 3) return (args: CommitArguments) => definitionV3(args, protocol);
      return original.protocol({ version: Math.min(version, 1) });
    },
  };
}

function definitionV3(args: CommitArguments, { Encoder, Decoder, createErrorFromCode }: Protocol) {
  const membership = membershipOf.get(args.topics);
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: 3,
      apiName: 'TxnOffsetCommit',
      encode: async () => encodeV3(args, membership, Encoder),
    },
    response: {
      decode: async (data: Buffer) => decodeV3(new Decoder(data)),
      parse: async (response: Response) => {
        for (const { partitions } of response.topics)
          for (const { errorCode } of partitions) if (errorCode !== 0) throw createErrorFromCode(errorCode);
        return response;
      },
    },
  };
}

function encodeV3(
  args: CommitArguments,
  membership: GroupMembership | undefined,
  Encoder: Protocol['Encoder'],
) {
  const partition = (entry: CommitTopic['partitions'][number]) =>
    new Encoder()
      .writeInt32(entry.partition)
      .writeInt64(entry.offset)
      .writeInt32(NO_LEADER_EPOCH)
      .writeUVarIntString(entry.metadata ?? null)
      .writeUVarIntBytes();
  const topic = (entry: CommitTopic) =>
    new Encoder()
      .writeUVarIntString(entry.topic)
      .writeUVarIntArray(entry.partitions.map(partition))
      .writeUVarIntBytes();
  return new Encoder()
    .writeUVarIntBytes() // tagged fields of the request header v2
    .writeUVarIntString(args.transactionalId)
    .writeUVarIntString(args.groupId)
    .writeInt64(args.producerId)
    .writeInt16(args.producerEpoch)
    .writeInt32(membership?.generationId ?? -1)
    .writeUVarIntString(membership?.memberId ?? '')
    .writeUVarIntString(null)
    .writeUVarIntArray(args.topics.map(topic))
    .writeUVarIntBytes();
}

function decodeV3(decoder: Decoder): Response {
  decoder.readTaggedFields(); // of the response header v1
  const throttleTime = decoder.readInt32();
  const topics = decoder.readUVarIntArray((entry) => {
    const topic = entry.readUVarIntString();
    const partitions = entry.readUVarIntArray((inner) => {
      const partition = { partition: inner.readInt32(), errorCode: inner.readInt16() };
      inner.readTaggedFields();
      return partition;
    });
    entry.readTaggedFields();
    return { topic, partitions };
  });
  return { throttleTime, topics };
}
