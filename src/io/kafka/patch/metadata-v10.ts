import type { AnswerFormat } from './partition-errors.ts';
import type { Decoder, Encoder } from './types.ts';

interface MetadataArguments {
  /** Empty: all topics. */
  readonly topics: readonly string[];
  readonly allowAutoTopicCreation?: boolean;
}
interface RequestDefinitions {
  readonly versions: string[];
  protocol(options: { version: number }): unknown;
}
interface Protocol {
  readonly Encoder: new () => Encoder;
  readonly Decoder: new (data: Buffer) => Decoder;
  /** kafkajs' own check of an answer for errors. */
  readonly parse: AnswerFormat<never>['parse'];
}

/** Metadata of a topic, as far as used here. */
export interface TopicMetadata {
  readonly topic: string;
  /** Never reused, unlike the name. Absent from brokers older than Kafka 2.8. */
  readonly topicId?: string | undefined;
}

/** Topic id by partition list: the only part of the decoded topic that kafkajs' admin client passes on as is. */
const idOf = new WeakMap<object, string>();

/** Id of the topic with this partition list, as decoded; undefined if the broker sent none. */
export function topicIdOf(partitions: object): string | undefined {
  return idOf.get(partitions);
}

const API_KEY = 3;
const VERSION = 10;
const ORIGINAL_VERSION = 6;
const ID_BYTES = 16;
const NO_ID = Buffer.alloc(ID_BYTES);
/** All bytes zero: no id, as for a topic that does not exist. */
const NO_TOPIC_ID = NO_ID.toString('base64url');

/**
 * Adds Metadata v10 to kafkajs' table, which ends at v6. It has topic ids, which tell a recreated topic from its
 * predecessor of the same name (KIP-516).
 *
 * Message format: Kafka protocol guide, Metadata (key 3), version 10, flexible. v7 to v9 are sent as v6.
 */
export function extendMetadata(original: RequestDefinitions, protocol: Protocol): RequestDefinitions {
  return {
    versions: [...original.versions, '7', '8', '9', '10'],
    protocol: ({ version }) => {
      if (version < VERSION) return original.protocol({ version: Math.min(version, ORIGINAL_VERSION) });
      return (args: MetadataArguments) => definition(args, protocol);
    },
  };
}

function definition(args: MetadataArguments, { Encoder, Decoder, parse }: Protocol) {
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: VERSION,
      apiName: 'Metadata',
      encode: async () => encode(args, Encoder),
    },
    response: { decode: async (data: Buffer) => decode(new Decoder(data)), parse },
  };
}

function encode(
  { topics, allowAutoTopicCreation = true }: MetadataArguments,
  Encoder: Protocol['Encoder'],
): Encoder {
  const asked = topics.map((topic) =>
    new Encoder().writeBuffer(NO_ID).writeUVarIntString(topic).writeUVarIntBytes(),
  );
  return new Encoder()
    .writeUVarIntBytes() // tagged fields of the request header v2
    .writeUVarIntArray(asked.length === 0 ? null : asked)
    .writeBoolean(allowAutoTopicCreation)
    .writeBoolean(false) // include_cluster_authorized_operations
    .writeBoolean(false) // include_topic_authorized_operations
    .writeUVarIntBytes();
}

/** In the shape of kafkajs' v6, plus `topicId`. */
function decode(decoder: Decoder) {
  decoder.readTaggedFields(); // of the response header v1
  const clientSideThrottleTime = decoder.readInt32();
  const brokers = decoder.readUVarIntArray(readBroker);
  const clusterId = decoder.readUVarIntString();
  const controllerId = decoder.readInt32();
  const topicMetadata = decoder.readUVarIntArray(readTopic);
  return { throttleTime: 0, clientSideThrottleTime, brokers, clusterId, controllerId, topicMetadata };
}

function readBroker(decoder: Decoder) {
  const broker = {
    nodeId: decoder.readInt32(),
    host: decoder.readUVarIntString(),
    port: decoder.readInt32(),
    rack: decoder.readUVarIntString(),
  };
  decoder.readTaggedFields();
  return broker;
}

function readTopic(decoder: Decoder) {
  const topicErrorCode = decoder.readInt16();
  const topic = decoder.readUVarIntString();
  const id = decoder.readBytes(ID_BYTES).toString('base64url');
  const isInternal = decoder.readBoolean();
  const partitionMetadata = decoder.readUVarIntArray(readPartition);
  decoder.readInt32(); // topic_authorized_operations
  decoder.readTaggedFields();
  const topicId = id === NO_TOPIC_ID ? undefined : id;
  if (topicId !== undefined && partitionMetadata !== null) idOf.set(partitionMetadata, topicId);
  return { topicErrorCode, topic, topicId, isInternal, partitionMetadata };
}

function readPartition(decoder: Decoder) {
  const partitionErrorCode = decoder.readInt16();
  const partitionId = decoder.readInt32();
  const leader = decoder.readInt32();
  decoder.readInt32(); // leader_epoch
  const replicas = decoder.readUVarIntArray(readNode);
  const isr = decoder.readUVarIntArray(readNode);
  const offlineReplicas = decoder.readUVarIntArray(readNode);
  decoder.readTaggedFields();
  return { partitionErrorCode, partitionId, leader, replicas, isr, offlineReplicas };
}

function readNode(decoder: Decoder): number {
  return decoder.readInt32();
}
