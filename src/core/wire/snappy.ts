import { createRequire } from 'node:module';
import { errorMessage, PoisonError } from '../model/errors.ts';

/**
 * Snappy's block format, as remote write uses it (github.com/google/snappy, format_description.txt).
 *
 * Uses the native package or, if that has no binary for the platform, snappyjs, which is about eight times slower.
 */
interface Codec {
  readonly name: 'native' | 'javascript';
  compress(bytes: Uint8Array): Buffer;
  uncompress(bytes: Uint8Array): Buffer;
}

const require = createRequire(import.meta.url);

interface NativeSnappy {
  compressSync(input: Uint8Array, options: { copyOutputData: boolean }): Buffer;
  uncompressSync(input: Uint8Array, options: { copyOutputData: boolean }): Buffer;
}

/**
 * Without `copyOutputData` each result is an external buffer that holds native memory until it is collected:
 * both directions are then about ten times slower (docs/internals/measurements.md), and resident memory grows.
 */
const COPY = { copyOutputData: true } as const;

export function nativeSnappy(): Codec {
  const native = require('snappy') as NativeSnappy;
  return {
    name: 'native',
    compress: (bytes) => native.compressSync(bytes, COPY),
    uncompress: (bytes) => native.uncompressSync(bytes, COPY),
  };
}

export function javascriptSnappy(): Codec {
  const snappyjs = require('snappyjs') as Record<'compress' | 'uncompress', (bytes: Buffer) => Buffer>;
  return {
    name: 'javascript',
    compress: (bytes) => snappyjs.compress(asBuffer(bytes)),
    uncompress: (bytes) => snappyjs.uncompress(asBuffer(bytes)),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function load(): Codec {
  try {
    return nativeSnappy();
  } catch {
    return javascriptSnappy();
  }
}

const codec = load();

/** Which implementation is in use, for the log line at start-up. */
export const snappyImplementation: Codec['name'] = codec.name;

/**
 * Bytes of the fragments in which a compressor takes its input: no element refers to an earlier fragment (snappy.h,
 * kBlockSize). So fragments compressed one by one and joined without their headers are no larger than all compressed at
 * once.
 */
export const FRAGMENT_BYTES = 64 * 1024;

/** The most bytes that `length` bytes can become: snappy's own bound, 32 + n + n/6. */
export function maxCompressedLength(length: number): number {
  return 32 + length + Math.floor(length / 6);
}

/** The most bytes whose compressed form is sure to fit in `compressed` bytes; 0 if nothing fits. */
export function maxUncompressedLength(compressed: number): number {
  return Math.max(0, Math.floor(((compressed - 32) * 6) / 7));
}

/** The length that the header of a compressed block claims, in bytes. Throws PoisonError `snappy`. */
export function uncompressedLength(bytes: Uint8Array): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (length > 0xffffffff) break;
      return length;
    }
  }
  throw new PoisonError('decode', 'snappy', 'the body is not snappy: its length header is broken');
}

/**
 * Joins blocks into one that uncompresses to their contents in order. Nothing is compressed again: copies have relative
 * offsets, so elements mean the same wherever their block begins (format_description.txt, section 2).
 * Throws PoisonError `snappy` if a length header is broken; the elements are not checked.
 */
export function joinBlocks(blocks: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const block of blocks) length += uncompressedLength(block);
  const header: number[] = [];
  for (; length >= 0x80; length = Math.floor(length / 128)) header.push((length % 128) | 0x80);
  header.push(length);
  return Buffer.concat([Uint8Array.from(header), ...blocks.map((block) => block.subarray(headerEnd(block)))]);
}

/** Index of the first element of a block whose header is sound. */
function headerEnd(block: Uint8Array): number {
  let end = 0;
  while (block[end]! >= 0x80) end++;
  return end + 1;
}

/** Upper bound of a block's expansion: the longest copy makes 64 bytes of three. */
const MOST_EXPANSION = 22;

/** Compresses to one block, in a buffer of its own. */
export function compress(bytes: Uint8Array): Buffer {
  return codec.compress(bytes);
}

/**
 * Uncompresses one block into a buffer of its own.
 * Throws PoisonError `snappy` if the block is corrupt or its header claims more than its bytes can become, and
 * `record_too_large` if the header claims more than `maxBytes`. The header is checked before memory is allocated.
 */
export function uncompress(bytes: Uint8Array, maxBytes: number): Buffer {
  refuseFramed(bytes);
  const claimed = uncompressedLength(bytes);
  if (claimed > maxBytes) {
    throw new PoisonError(
      'decode',
      'record_too_large',
      `the snappy header claims ${claimed} bytes, more than the limit of ${maxBytes} (worker.limits.record_bytes)`,
    );
  }
  if (claimed > MOST_EXPANSION * bytes.length) {
    throw new PoisonError(
      'decode',
      'snappy',
      `the snappy header claims ${claimed} bytes, more than ${bytes.length} bytes of snappy can become`,
    );
  }
  let body: Buffer;
  try {
    body = codec.uncompress(bytes);
  } catch (error) {
    throw new PoisonError('decode', 'snappy', `the body is not valid snappy: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  if (body.length !== claimed) {
    throw new PoisonError(
      'decode',
      'snappy',
      `snappy: ${body.length} bytes came out, the header claims ${claimed}`,
    );
  }
  return body;
}

/** Stream formats around blocks: their first bytes, and their names. */
const FRAMED = [
  { start: Buffer.from('ff060000734e61507059', 'hex'), name: "snappy's stream format (framing_format.txt)" },
  { start: Buffer.from('82534e4150505900', 'hex'), name: "the format of snappy-java's SnappyOutputStream" },
] as const;

/** Refuses snappy streams by name. No block can begin like one: its first copy would reach back before the output. */
function refuseFramed(bytes: Uint8Array): void {
  for (const { start, name } of FRAMED) {
    if (bytes[0] !== start[0] || !start.equals(bytes.subarray(0, start.length))) continue;
    throw new PoisonError(
      'decode',
      'snappy',
      `the body is in ${name}: send it as one block, as remote write has it (snappy.Encode in Go, Snappy.compress in Java)`,
    );
  }
}
