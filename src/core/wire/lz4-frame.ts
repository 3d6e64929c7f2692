const MAGIC = 0x184d2204;
/** Skippable frames have one of 16 magic numbers. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
/** Magic number and length. */
const SKIPPABLE_HEAD_BYTES = 8;
/** Flags: a checksum behind each block, the size of the content, a checksum of the content, a dictionary's id. */
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
/** Offsets of the flags, with the block size behind them, and of the optional fields. */
const FLAGS_AT = 4;
const FIELDS_AT = 6;
/** Flag in a block's length: the block is not compressed. */
const PLAIN_BLOCK = 0x80000000;

export interface Lz4Frame {
  readonly bytes: Buffer;
  /** Upper bound of its decompressed bytes: as many as its blocks may hold. */
  readonly bound: number;
}

/**
 * Splits `bytes` into LZ4 frames (github.com/lz4/lz4, doc/lz4_Frame_format.md), since the decompressor ignores all but
 * the first. Skippable frames are left out. A truncated frame is the last one.
 *
 * @throws Error if anything but a frame follows
 */
export function lz4Frames(bytes: Buffer): Lz4Frame[] {
  const frames: Lz4Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    const magic = left < 4 ? 0 : bytes.readUInt32LE(at);
    if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC && left >= SKIPPABLE_HEAD_BYTES) {
      at += SKIPPABLE_HEAD_BYTES + bytes.readUInt32LE(at + 4);
      if (at > bytes.length) throw new Error('lz4: a skippable frame passes the end');
    } else {
      if (magic !== MAGIC || left <= FIELDS_AT) throw new Error(`lz4: the last ${left} bytes are no frame`);
      const { end, bound } = measure(bytes, at);
      frames.push({ bytes: bytes.subarray(at, end), bound });
      at = end;
    }
  }
  return frames;
}

function measure(bytes: Buffer, start: number): { end: number; bound: number } {
  const flags = bytes[start + FLAGS_AT]!;
  /** 4 is 64 KiB, 5 256 KiB, 6 1 MiB, 7 4 MiB. */
  const blockBytes = 2 ** (8 + 2 * ((bytes[start + FLAGS_AT + 1]! >> 4) & 7));
  const checksum = flags & BLOCK_CHECKSUM ? 4 : 0;
  let at = start + FIELDS_AT + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY ? 4 : 0) + 1;
  let bound = 0;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length === 0) break;
    // A byte of a compressed block becomes at most 255.
    const size = length % PLAIN_BLOCK;
    bound += length >= PLAIN_BLOCK ? size : Math.min(blockBytes, size * 255);
    at += 4 + size + checksum;
  }
  return { end: Math.min(bytes.length, at + 4 + (flags & CONTENT_CHECKSUM ? 4 : 0)), bound };
}
