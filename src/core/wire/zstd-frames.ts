const MAGIC = 0xfd2fb528;
/** Skippable frames have one of 16 magic numbers. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
/** Magic number and length. */
const SKIPPABLE_HEAD_BYTES = 8;
const DESCRIPTOR_AT = 4;
const SINGLE_SEGMENT = 0x20;
const CHECKSUM = 0x04;
const DICTIONARY_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const BLOCK_HEAD_BYTES = 3;
const LAST_BLOCK = 1;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/**
 * Splits `bytes` into zstd frames (RFC 8878, section 3.1), since Node's zlib ignores all but the first. Skippable
 * frames are left out. A truncated frame is the last one; its decoder reports it.
 *
 * @throws Error if anything but a frame follows
 */
export function zstdFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    const magic = left < 4 ? 0 : bytes.readUInt32LE(at);
    if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC && left >= SKIPPABLE_HEAD_BYTES) {
      at += SKIPPABLE_HEAD_BYTES + bytes.readUInt32LE(at + 4);
      if (at > bytes.length) throw new Error('zstd: a skippable frame passes the end');
    } else {
      if (magic !== MAGIC) throw new Error(`zstd: the last ${left} bytes are no frame`);
      const end = Math.min(frameEnd(bytes, at), bytes.length);
      frames.push(bytes.subarray(at, end));
      at = end;
    }
  }
  return frames;
}

/** End of the frame at `start`; beyond the end of `bytes` if the frame is truncated. */
function frameEnd(bytes: Buffer, start: number): number {
  const descriptor = bytes[start + DESCRIPTOR_AT] ?? 0;
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && isSingle ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  let at = start + DESCRIPTOR_AT + 1 + (isSingle ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]! + sizeBytes;
  for (let last = false; !last; ) {
    if (at + BLOCK_HEAD_BYTES > bytes.length) return Number.POSITIVE_INFINITY;
    const head = bytes.readUIntLE(at, BLOCK_HEAD_BYTES);
    const type = (head >> 1) & 3;
    if (type === RESERVED_BLOCK) throw new Error('zstd: a block of a type that there is not');
    last = (head & LAST_BLOCK) !== 0;
    at += BLOCK_HEAD_BYTES + (type === RLE_BLOCK ? 1 : head >> 3);
  }
  return at + (descriptor & CHECKSUM ? 4 : 0);
}
