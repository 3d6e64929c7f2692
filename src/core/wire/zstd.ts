import { constants, zstdDecompressSync } from 'node:zlib';
import { errorMessage, PoisonError } from '../model/errors.ts';

/**
 * Zstandard bodies of one frame or more (RFC 8878). Node's own functions silently ignore all but the first frame, while
 * other readers take consecutive frames and skip skippable ones.
 */

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Bytes of the frame content size, by its flag. With flag 0 only a single segment has the field, of one byte. */
const SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_BYTES = [0, 1, 2, 4];
const BLOCK = { raw: 0, rle: 1, compressed: 2 } as const;

/**
 * Largest window of a frame: 128 MiB, zstd's own limit. Its memory is reserved, and touched only as far as the frame
 * has content.
 */
const WINDOW = { [constants.ZSTD_d_windowLogMax]: 27 } as const;
/** Cost of setting up a frame, in units of a record's budget (0.5 µs). */
const FRAME_UNITS = 50;
/** Size of the chunks of output; a smaller one for a frame that is small itself. */
const CHUNK_BYTES = 64 * 1024;
const SMALL_CHUNK_BYTES = 1024;

/** End of the frame at `start`, whose content is not read. Throws PoisonError `zstd` if it is no frame or truncated. */
export function zstdFrameEnd(bytes: Buffer, start: number): number {
  if (bytes.length - start < 4) throw cutOff(bytes, start);
  if (isSkippable(bytes, start)) {
    if (bytes.length - start < 8) throw cutOff(bytes, start);
    return within(bytes, start, start + 8 + bytes.readUInt32LE(start + 4));
  }
  if (bytes.readUInt32LE(start) !== MAGIC) {
    const rest = bytes.length - start;
    throw broken(
      start === 0
        ? 'it does not begin with a zstd frame'
        : `${rest} bytes follow the last frame at byte ${start}`,
    );
  }
  return blocksEnd(bytes, start, within(bytes, start, headerEnd(bytes, start)));
}

/** Whether the frame at `start`, of four bytes at least, is skippable: an application's own data, no content. */
export function isSkippable(bytes: Buffer, start: number): boolean {
  return bytes.readUInt32LE(start) >>> 4 === SKIPPABLE_MAGIC >>> 4;
}

/** End of the frame's header, where the first block begins (RFC 8878, 3.1.1.1). */
function headerEnd(bytes: Buffer, start: number): number {
  if (bytes.length - start < 5) throw cutOff(bytes, start);
  const descriptor = bytes[start + 4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryAt = start + 5 + (singleSegment ? 0 : 1);
  const dictionaryBytes = DICTIONARY_BYTES[descriptor & 3]!;
  within(bytes, start, dictionaryAt + dictionaryBytes);
  const dictionary = dictionaryBytes === 0 ? 0 : bytes.readUIntLE(dictionaryAt, dictionaryBytes);
  if (dictionary !== 0) throw broken(`it needs the dictionary ${dictionary}: send it without a dictionary`);
  const sizeFlag = descriptor >> 6;
  return dictionaryAt + dictionaryBytes + (sizeFlag === 0 && singleSegment ? 1 : SIZE_BYTES[sizeFlag]!);
}

/** End of the frame whose first block begins at `at` (RFC 8878, 3.1.1.2). */
function blocksEnd(bytes: Buffer, start: number, at: number): number {
  const checksumBytes = (bytes[start + 4]! & 0x04) !== 0 ? 4 : 0;
  for (let block = at; ; ) {
    if (block + 3 > bytes.length) throw cutOff(bytes, start);
    const header = bytes.readUIntLE(block, 3);
    const kind = (header >> 1) & 3;
    if (kind > BLOCK.compressed) throw broken(`a block of an unknown kind at byte ${block}`);
    block = within(bytes, start, block + 3 + (kind === BLOCK.rle ? 1 : header >> 3));
    if ((header & 1) !== 0) return within(bytes, start, block + checksumBytes);
  }
}

/**
 * Decompresses a body that consists of one frame or more, and nothing else.
 * Throws PoisonError `zstd` if it does not or a frame is corrupt, and `record_too_large` if all frames together exceed
 * `maxBytes`; not much more memory than that is allocated.
 *
 * @param spend charged for each of several frames, since a body may have very many; its error ends the work
 */
export function zstdDecompress(bytes: Buffer, maxBytes: number, spend?: (units: number) => void): Buffer {
  let end = zstdFrameEnd(bytes, 0);
  if (end === bytes.length) return isSkippable(bytes, 0) ? Buffer.alloc(0) : frame(bytes, maxBytes);
  // The library's result for a small frame keeps a whole chunk in memory: it is copied.
  let out = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(SMALL_CHUNK_BYTES, bytes.length * 4)));
  let length = 0;
  for (let start = 0; start < bytes.length; start = end) {
    end = zstdFrameEnd(bytes, start);
    spend?.(isSkippable(bytes, start) ? 1 : FRAME_UNITS);
    if (isSkippable(bytes, start)) continue;
    const content = frame(bytes.subarray(start, end), maxBytes - length, maxBytes);
    if (length + content.length > out.length) out = grown(out, length, length + content.length, maxBytes);
    length += content.copy(out, length);
  }
  return out.subarray(0, length);
}

/** Decompresses `bytes`, which is a single frame. */
function frame(bytes: Buffer, maxBytes: number, limit = maxBytes): Buffer {
  const chunkSize = bytes.length < SMALL_CHUNK_BYTES ? SMALL_CHUNK_BYTES : CHUNK_BYTES;
  try {
    // Node refuses a maxOutputLength of 0.
    const content = zstdDecompressSync(bytes, {
      chunkSize,
      maxOutputLength: Math.max(1, maxBytes),
      params: WINDOW,
    });
    if (content.length <= maxBytes) return content;
  } catch (error) {
    if (!(error instanceof RangeError)) throw broken(errorMessage(error), { cause: error });
  }
  throw new PoisonError(
    'decode',
    'record_too_large',
    `the zstd body is larger when inflated, more than the limit of ${limit} bytes (worker.limits.record_bytes)`,
  );
}

function grown(out: Buffer, length: number, needed: number, most: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(needed, length * 2)));
  out.copy(larger, 0, 0, length);
  return larger as Buffer<ArrayBuffer>;
}

function within(bytes: Buffer, start: number, end: number): number {
  if (end > bytes.length) throw cutOff(bytes, start);
  return end;
}

function cutOff(bytes: Buffer, start: number): PoisonError {
  return broken(`the frame at byte ${start} is cut off: the body ends after ${bytes.length} bytes`);
}

function broken(what: string, options?: ErrorOptions): PoisonError {
  return new PoisonError('decode', 'zstd', `the body is not valid zstd: ${what}`, options);
}
