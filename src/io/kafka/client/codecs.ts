import { promisify } from 'node:util';
import { gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress, uncompress } from 'snappy';
import { lz4Frames } from '../../../core/wire/lz4-frame.ts';
import { uncompressedLength } from '../../../core/wire/snappy.ts';
import { zstdFrames } from '../../../core/wire/zstd-frames.ts';
import { kafkajs } from '../patch/load.ts';

interface EncoderLike {
  readonly buffer: Buffer;
}

/** Decompressed size that every batch may have, and the size that none may exceed, in bytes. */
const LEAST_LIMIT_BYTES = 64 * 1024 * 1024;
export const MOST_BATCH_BYTES = 256 * 1024 * 1024;
/** Between the two, the limit is this multiple of the compressed size. */
const MOST_RATIO = 64;
/** Most frames of one batch. Clients write one; further ones are read too, but each costs some 30 µs. */
const MOST_FRAMES = 10_000;
/** Most snappy blocks of one batch: clients write blocks of 64 KiB or less. */
const MOST_BLOCKS = 100_000;
/** Snappy blocks decompressed concurrently. */
const BLOCKS_AT_ONCE = 256;

/**
 * Decompressed size limit of a record batch of `compressedBytes`. Brokers limit the compressed size only
 * (`message.max.bytes`, 1 MiB by default), and zstd makes 200 MiB of 6 KB: any producer could exhaust its readers'
 * memory. A larger batch is treated as corrupt (docs/internals/kafkajs.md).
 */
export function mostBatchBytes(compressedBytes: number): number {
  return Math.min(MOST_BATCH_BYTES, Math.max(LEAST_LIMIT_BYTES, compressedBytes * MOST_RATIO));
}

const LEAST_CHUNK_BYTES = 16 * 1024;
const MOST_CHUNK_BYTES = 1024 * 1024;
const CHUNK_RATIO = 4;

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
    checkSize(
      blocks.reduce((sum, block) => sum + uncompressedLength(block), 0),
      mostBatchBytes(data.length),
    );
    if (blocks.length === 1) return uncompressBlock(blocks[0]!);
    const parts: Buffer[] = [];
    for (let at = 0; at < blocks.length; at += BLOCKS_AT_ONCE)
      parts.push(...(await Promise.all(blocks.slice(at, at + BLOCKS_AT_ONCE).map(uncompressBlock))));
    return Buffer.concat(parts);
  },
});

/** Splits into blocks. Joined streams repeat the header in front of a block: snappy-java reads that too. */
function xerialBlocks(data: Buffer): Buffer[] {
  const isHeader = (at: number) => data.subarray(at, at + XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
  if (!isHeader(0)) return [data];
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < data.length; ) {
    if (isHeader(at)) {
      at += XERIAL_HEADER_BYTES;
      continue;
    }
    const length = at + 4 > data.length ? -1 : data.readInt32BE(at);
    const end = at + 4 + length;
    if (length < 0 || end > data.length) throw new Error(`snappy: a block of ${length} bytes passes the end`);
    blocks.push(data.subarray(at + 4, end));
    checkFrames(blocks.length, MOST_BLOCKS);
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
    const frames = lz4Frames(data);
    checkSize(
      frames.reduce((sum, { bound }) => sum + bound, 0),
      mostBatchBytes(data.length),
    );
    return joined(frames, ({ bytes }) => decompressFrame(bytes));
  },
});

const gzipCodec = () => ({
  compress: (encoder: EncoderLike): Promise<Buffer> => promisify(gzip)(encoder.buffer),
  decompress: (data: Buffer): Promise<Buffer> =>
    limited(mostBatchBytes(data.length), (maxOutputLength) =>
      promisify(unzip)(data, { maxOutputLength, chunkSize: chunkSize(data) }),
    ),
});

const zstdCodec = () => ({
  compress: (encoder: EncoderLike): Promise<Buffer> => promisify(zstdCompress)(encoder.buffer),
  decompress: async (data: Buffer): Promise<Buffer> => {
    let left = mostBatchBytes(data.length);
    return joined(zstdFrames(data), async (frame) => {
      const body = await limited(left, (maxOutputLength) =>
        promisify(zstdDecompress)(frame, { maxOutputLength, chunkSize: chunkSize(frame) }),
      );
      left -= body.length;
      return body;
    });
  },
});

/** Decompresses the frames in turn and concatenates them. */
async function joined<T>(frames: readonly T[], decompress: (frame: T) => Promise<Buffer>): Promise<Buffer> {
  if (frames.length === 1) return decompress(frames[0]!);
  checkFrames(frames.length, MOST_FRAMES);
  const parts: Buffer[] = [];
  for (const frame of frames) parts.push(await decompress(frame));
  return Buffer.concat(parts);
}

/** Runs `inflate` with a limit one byte above `most`, since zlib takes no limit of 0. @throws Error beyond `most` */
async function limited(most: number, inflate: (maxOutputLength: number) => Promise<Buffer>): Promise<Buffer> {
  let body: Buffer;
  try {
    body = await inflate(most + 1);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge() : error;
  }
  checkSize(body.length, most);
  return body;
}

/** Output chunk size for zlib: with its default of 16 KiB a large batch comes in thousands of chunks. */
function chunkSize({ length }: Buffer): number {
  return Math.min(MOST_CHUNK_BYTES, Math.max(LEAST_CHUNK_BYTES, length * CHUNK_RATIO));
}

function checkSize(bytes: number, most: number): void {
  if (bytes > most) throw tooLarge();
}

function checkFrames(count: number, most: number): void {
  if (count > most) throw new Error(`compressed in more than ${most} pieces, the most that are read`);
}

function tooLarge(): Error {
  const mib = (bytes: number) => bytes / 1024 / 1024;
  return new Error(
    `decompressed it has more than is read: ${mib(LEAST_LIMIT_BYTES)} MiB, or ${MOST_RATIO} times its ` +
      `size up to ${mib(MOST_BATCH_BYTES)} MiB`,
  );
}

/** Registers all of Kafka's codecs: a missing one would stop a consumer for good. kafkajs' gzip has no limit. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = gzipCodec;
  CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
  CompressionCodecs[CompressionTypes.LZ4] = lz4Codec;
  CompressionCodecs[CompressionTypes.ZSTD] = zstdCodec;
}
