import { type SeriesTail, TAG_SAMPLE } from './write-request.ts';

/** A timestamp of six varint bytes: 2^35 … 2^42-1 ms, the years 1971 to 2109. */
const TIME_BYTES = 6;

/**
 * Fast path of `readTail` for nearly every series: samples only, each a value (or none, which means 0) and a timestamp
 * in the range of `TIME_BYTES`, in the usual encoding. False for all else; the content of `tail` is then unspecified.
 */
export function scanTail(bytes: Uint8Array, start: number, end: number, tail: SeriesTail): boolean {
  tail.reset();
  let at = start;
  while (at < end) {
    let time: number;
    if (bytes[at] !== TAG_SAMPLE) return false;
    const size = bytes[at + 1];
    if (size === 9 + 1 + TIME_BYTES && bytes[at + 2] === 0x09) time = at + 12;
    else if (size === 1 + TIME_BYTES) time = at + 3;
    else return false;
    const next = time + TIME_BYTES;
    if (next > end || bytes[time - 1] !== 0x10) return false;
    const b0 = bytes[time]!;
    const b1 = bytes[time + 1]!;
    const b2 = bytes[time + 2]!;
    const b3 = bytes[time + 3]!;
    const b4 = bytes[time + 4]!;
    const b5 = bytes[time + 5]!;
    if ((b0 & b1 & b2 & b3 & b4) < 0x80 || b5 >= 0x80) return false;
    const low = (b0 & 0x7f) | ((b1 & 0x7f) << 7) | ((b2 & 0x7f) << 14) | ((b3 & 0x7f) << 21);
    tail.time(((b4 & 0x7f) | (b5 << 7)) * 2 ** 28 + low);
    tail.samples++;
    at = next;
  }
  return true;
}
