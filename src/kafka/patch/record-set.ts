import { giveBack, lend } from '../../wire/memory.ts';
import { UnreadableBatchError } from '../errors.ts';
import {
  BATCH_HEADER_BYTES,
  batchEnd,
  type DecodedMessage,
  decodeBatch,
  type LookupCodec,
  MAGIC,
  MAGIC_AT,
  unreadable,
} from './record-batch.ts';
import type { Decoder } from './types.ts';

/** What of kafkajs is needed for batches that are compressed, or older than Kafka 0.11. */
export interface OriginalFormats {
  readonly decodeMessages: (decoder: Decoder) => Promise<DecodedMessage[]>;
  readonly Decoder: new (buffer: Buffer) => Decoder;
  readonly lookupCodec: LookupCodec;
}

const ownMemory = new WeakMap<object, Buffer>();
const sizes = new WeakMap<object, number>();
const faults = new WeakMap<object, UnreadableBatchError>();

/** The memory that holds all of these messages and nothing else, if there is such; kafkajs' `Batch.rawMessages`. */
export function memoryOf(rawMessages: object): Buffer | undefined {
  return ownMemory.get(rawMessages);
}

/** Bytes that a fetch brought for these messages, as they were on the wire; 0 where there were none. */
export function fetchedBytes(rawMessages: object): number {
  return sizes.get(rawMessages) ?? 0;
}

/** Why nothing behind these messages could be read, if so. */
export function faultOf(rawMessages: object): UnreadableBatchError | undefined {
  return faults.get(rawMessages);
}

/**
 * The records of one partition in a fetch response, versions 4 to 11 (Kafka protocol, record batch v2).
 *
 * Replaces kafkajs' `decodeMessages`. The record set is copied out of the response in one go: so what comes for one
 * partition does not keep alive what came for others, and its memory can be given back when its records are done.
 * Its twin is kafkajs' own (test/unit/kafka/record-set.test.ts). A batch that is cut off at the end is left for the
 * next fetch, as there. One that cannot be read ends the set, and `faultOf` says so: kafkajs would crash at it.
 */
export function recordSetDecoder(formats: OriginalFormats) {
  return async (decoder: Decoder): Promise<DecodedMessage[]> => {
    const size = decoder.readInt32();
    if (size <= 0 || !decoder.canReadBytes(size)) return [];
    if (size <= MAGIC_AT) {
      decoder.readBytes(size);
      return []; // not even the beginning of a batch
    }
    const bytes = lend(size);
    bytes.set(decoder.readBytes(size));
    if (bytes[MAGIC_AT]! < MAGIC) return decodeOld(bytes, formats);
    const messages: DecodedMessage[] = [];
    let plain = 0;
    let packed = 0;
    try {
      for (let at = 0; at + BATCH_HEADER_BYTES <= size; ) {
        const end = batchEnd(bytes, at);
        if (end > size && at > 0) break;
        // The first batch comes whole, however large it is (KIP-74).
        if (end > size) throw unreadable(bytes, at, `it has ${end} bytes, and ${size} were fetched`);
        if (await decodeBatch(bytes, at, end, formats.lookupCodec, messages)) plain += 1;
        else packed += 1;
        at = end;
      }
    } catch (error) {
      if (!(error instanceof UnreadableBatchError)) throw error;
      faults.set(messages, error);
    }
    sizes.set(messages, size);
    if (plain === 0 || messages.length === 0) giveBack(bytes);
    else if (packed === 0) ownMemory.set(messages, bytes);
    return messages;
  };
}

async function decodeOld(
  bytes: Buffer,
  { decodeMessages, Decoder }: OriginalFormats,
): Promise<DecodedMessage[]> {
  const sized = Buffer.alloc(4 + bytes.length);
  sized.writeInt32BE(bytes.length);
  sized.set(bytes, 4);
  giveBack(bytes);
  return decodeMessages(new Decoder(sized));
}

export interface ResponseFormat {
  decode(payload: Buffer): Promise<unknown>;
}

/** A fetch response's definition that gives its memory back once it is decoded: records have been copied out of it. */
export function releasingResponse(original: ResponseFormat): ResponseFormat {
  return {
    ...original,
    decode: async (payload: Buffer) => {
      const decoded = await original.decode(payload);
      giveBack(payload);
      return decoded;
    },
  };
}
