import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress, uncompress } from 'snappy';
import { kafkajs } from './patch/load.ts';

interface EncoderLike {
  readonly buffer: Buffer;
}

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
    if (!data.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return uncompressBlock(data);
    const blocks: Buffer[] = [];
    for (let at = XERIAL_HEADER_BYTES; at < data.length; ) {
      const length = data.readInt32BE(at);
      blocks.push(await uncompressBlock(data.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    return Buffer.concat(blocks);
  },
});

async function uncompressBlock(block: Buffer): Promise<Buffer<ArrayBuffer>> {
  return (await uncompress(block, { asBuffer: true, copyOutputData: true })) as Buffer<ArrayBuffer>;
}

const lz4Codec = () => ({
  compress: async (encoder: EncoderLike): Promise<Buffer> => compressFrame(encoder.buffer),
  decompress: async (data: Buffer): Promise<Buffer> => decompressFrame(data),
});

const zstdCodec = () => ({
  compress: (encoder: EncoderLike): Promise<Buffer> => promisify(zstdCompress)(encoder.buffer),
  decompress: (data: Buffer): Promise<Buffer> => promisify(zstdDecompress)(data),
});

/** Registers every codec that Kafka knows: a missing one would stop a consumer for good. gzip is built in. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
  CompressionCodecs[CompressionTypes.LZ4] = lz4Codec;
  CompressionCodecs[CompressionTypes.ZSTD] = zstdCodec;
}
