const MAGIC = 0x184d2204;
/** Flags: a checksum behind each block, the size of the content, a dictionary's id. */
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const DICTIONARY = 0x01;
/** Where the flags are, the block size behind them, and where the optional fields begin. */
const FLAGS_AT = 4;
const FIELDS_AT = 6;
/** In a block's length: it is not compressed. */
const PLAIN_BLOCK = 0x80000000;

/**
 * Most bytes that an LZ4 frame can come to, without decompressing it: as many as its blocks are allowed to hold.
 * Infinity where it is no frame, or more than one, as Kafka has none (github.com/lz4/lz4, doc/lz4_Frame_format.md).
 */
export function lz4FrameBound(frame: Buffer): number {
  if (frame.length < FIELDS_AT + 1 || frame.readUInt32LE(0) !== MAGIC) return Number.POSITIVE_INFINITY;
  const flags = frame[FLAGS_AT]!;
  /** 4 is 64 KiB, 5 256 KiB, 6 1 MiB, 7 4 MiB. */
  const blockBytes = 2 ** (8 + 2 * ((frame[FLAGS_AT + 1]! >> 4) & 7));
  const checksum = flags & BLOCK_CHECKSUM ? 4 : 0;
  let at = FIELDS_AT + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY ? 4 : 0) + 1;
  let bound = 0;
  while (at + 4 <= frame.length) {
    const length = frame.readUInt32LE(at);
    if (length === 0) break;
    // A byte of a block comes to 255 at most.
    const bytes = length % PLAIN_BLOCK;
    bound += length >= PLAIN_BLOCK ? bytes : Math.min(blockBytes, bytes * 255);
    at += 4 + bytes + checksum;
  }
  const end = at + 4 + (flags & 0x04 ? 4 : 0);
  return end < frame.length ? Number.POSITIVE_INFINITY : bound;
}
