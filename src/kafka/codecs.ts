import { promisify } from 'node:util';
import { gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress, uncompress } from 'snappy';
import { lz4FrameBound } from '../wire/lz4-frame.ts';
import { uncompressedLength } from '../wire/snappy.ts';
import { kafkajs } from './patch/load.ts';

interface EncoderLike {
  readonly buffer: Buffer;
}

/**
 * Most that a record batch may come to. Brokers limit batches as they are compressed (`message.max.bytes`, 1 MiB unless
 * told), and zstd makes 200 MiB of 6 KB: whoever may write to a topic could take all memory of its readers. A batch
 * that is larger is not read, as if it were corrupt (docs/kafkajs.md).
 */
export const MOST_BATCH_BYTES = 256 * 1024 * 1024;

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
const XERIAL_BLOCK_BYTES = 64 * 1024;

/** Snappy in the framing of xerial's snappy-java, as Kafka's Java clients write it; a bare block is read too. */
const snappyCodec = () => ({
  async compress(encoder: EncoderLike): Promise<Buffer> {
    const header = Buffer.alloc(XERIAL_HEADER_BYTES);
    XERIAL_MAGIC.copy(header);
    header.writeInt32BE(1, 8);
    header.writeInt32BE(1, 12);
    const parts: Buffer[] = [header];
    for (let start = 0; start < encoder.buffer.length; start += XERIAL_BLOCK_BYTES) {
      const block = await compress(encoder.buffer.subarray(start, start + XERIAL_BLOCK_BYTES));
      const length = Buffer.alloc(4);
      length.writeInt32BE(block.length);
      parts.push(length, block);
    }
    return Buffer.concat(parts);
  },
  async decompress(data: Buffer): Promise<Buffer> {
    const blocks = xerialBlocks(data);
    checkSize(blocks.reduce((sum, block) => sum + uncompressedLength(block), 0));
    if (blocks.length === 1) return uncompressBlock(blocks[0]!);
    return Buffer.concat(await Promise.all(blocks.map(uncompressBlock)));
  },
});

function xerialBlocks(data: Buffer): Buffer[] {
  if (!data.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return [data];
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < data.length; ) {
    const length = data.readInt32BE(at);
    const end = at + 4 + length;
    if (length < 0 || end > data.length) throw new Error(`snappy: a block of ${length} bytes passes the end`);
    blocks.push(data.subarray(at + 4, end));
    at = end;
  }
  return blocks;
}

async function uncompressBlock(block: Buffer): Promise<Buffer<ArrayBuffer>> {
  return (await uncompress(block, { asBuffer: true, copyOutputData: true })) as Buffer<ArrayBuffer>;
}

const lz4Codec = () => ({
  compress: async (encoder: EncoderLike): Promise<Buffer> => compressFrame(encoder.buffer),
  decompress: async (data: Buffer): Promise<Buffer> => {
    checkSize(lz4FrameBound(data));
    return decompressFrame(data);
  },
});

const gzipCodec = () => ({
  compress: (encoder: EncoderLike): Promise<Buffer> => promisify(gzip)(encoder.buffer),
  decompress: (data: Buffer): Promise<Buffer> => limited(promisify(unzip)(data, LIMIT)),
});

const zstdCodec = () => ({
  compress: (encoder: EncoderLike): Promise<Buffer> => promisify(zstdCompress)(encoder.buffer),
  decompress: (data: Buffer): Promise<Buffer> => limited(promisify(zstdDecompress)(data, LIMIT)),
});

const LIMIT = { maxOutputLength: MOST_BATCH_BYTES } as const;

async function limited(inflated: Promise<Buffer>): Promise<Buffer> {
  try {
    return await inflated;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge() : error;
  }
}

function checkSize(bytes: number): void {
  if (bytes > MOST_BATCH_BYTES) throw tooLarge();
}

function tooLarge(): Error {
  return new Error(
    `decompressed it has more than ${MOST_BATCH_BYTES / 1024 / 1024} MiB, the most that is read`,
  );
}

/** Registers every codec that Kafka knows: a missing one would stop a consumer for good. kafkajs' own gzip has no limit. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = gzipCodec;
  CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
  CompressionCodecs[CompressionTypes.LZ4] = lz4Codec;
  CompressionCodecs[CompressionTypes.ZSTD] = zstdCodec;
}
