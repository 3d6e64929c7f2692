import { AsyncLocalStorage } from 'node:async_hooks';
import type { Decoder, Encoder } from './types.ts';

interface FetchArguments {
  readonly groupId: string;
  /** Empty: all topics of which the group has offsets. */
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number }[];
  }[];
}
interface RequestDefinitions {
  readonly versions: string[];
  protocol(options: { version: number }): unknown;
}
interface Response {
  readonly throttleTime: number;
  readonly responses: {
    topic: string | null;
    partitions: { partition: number; offset: string; metadata: string | null; errorCode: number }[];
  }[];
  readonly errorCode: number;
}
interface Protocol {
  readonly Encoder: new () => Encoder;
  readonly Decoder: new (data: Buffer) => Decoder;
  readonly createErrorFromCode: (code: number) => Error;
}

const API_KEY = 9;

/** Carries `stably` down to the request: kafkajs passes no options through. */
const stable = new AsyncLocalStorage<true>();

/**
 * Runs `ask` so that its OffsetFetch requires stable offsets: the coordinator answers UNSTABLE_OFFSET_COMMIT for
 * partitions with an offset in an unsettled transaction.
 */
export function stably<T>(ask: () => Promise<T>): Promise<T> {
  return stable.run(true, ask);
}

/**
 * Adds OffsetFetch v7 to kafkajs' table, which ends at v4.
 *
 * Up to v6 a group coordinator answers with the offset before a transaction it has not settled yet, even after the
 * producer was told that the transaction is complete: before Kafka 4.0 the group coordinator applies it a moment later,
 * or, if it has just taken over, once it has read its log. v7 can require stable offsets (KIP-447).
 *
 * Message format: Kafka protocol guide, OffsetFetch (key 9), version 7, flexible.
 */
export function extendOffsetFetch(original: RequestDefinitions, protocol: Protocol): RequestDefinitions {
  return {
    versions: [...original.versions, '5', '6', '7'],
    protocol: ({ version }) => {
      if (version >= 7) return (args: FetchArguments) => definitionV7(args, protocol);
      return original.protocol({ version: Math.min(version, 4) });
    },
  };
}

function definitionV7(args: FetchArguments, { Encoder, Decoder, createErrorFromCode }: Protocol) {
  const isStable = stable.getStore() === true;
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: 7,
      apiName: 'OffsetFetch',
      encode: async () => encodeV7(args, isStable, Encoder),
    },
    response: {
      decode: async (data: Buffer) => decodeV7(new Decoder(data)),
      parse: async (response: Response) => {
        const codes = response.responses.flatMap(({ partitions }) =>
          partitions.map(({ errorCode }) => errorCode),
        );
        const failed = [response.errorCode, ...codes].find((code) => code !== 0);
        if (failed !== undefined) throw createErrorFromCode(failed);
        return response;
      },
    },
  };
}

function encodeV7(
  { groupId, topics }: FetchArguments,
  isStable: boolean,
  Encoder: Protocol['Encoder'],
): Encoder {
  const partition = (entry: { readonly partition: number }) => new Encoder().writeInt32(entry.partition);
  const topic = (entry: FetchArguments['topics'][number]) =>
    new Encoder()
      .writeUVarIntString(entry.topic)
      .writeUVarIntArray(entry.partitions.map(partition))
      .writeUVarIntBytes();
  const header = new Encoder().writeUVarIntBytes(); // tagged fields of the request header v2
  const group = header.writeUVarIntString(groupId);
  // A null array asks for all topics, an empty one for none.
  const asked =
    topics.length === 0 ? group.writeUVarIntArray(null) : group.writeUVarIntArray(topics.map(topic));
  return asked.writeBoolean(isStable).writeUVarIntBytes();
}

function decodeV7(decoder: Decoder): Response {
  decoder.readTaggedFields(); // of the response header v1
  const throttleTime = decoder.readInt32();
  const responses = decoder.readUVarIntArray((entry) => {
    const topic = entry.readUVarIntString();
    const partitions = entry.readUVarIntArray((inner) => {
      const partition = inner.readInt32();
      const offset = inner.readInt64().toString();
      inner.readInt32(); // leader epoch
      const metadata = inner.readUVarIntString();
      const errorCode = inner.readInt16();
      inner.readTaggedFields();
      return { partition, offset, metadata, errorCode };
    });
    entry.readTaggedFields();
    return { topic, partitions };
  });
  return { throttleTime, responses, errorCode: decoder.readInt16() };
}
