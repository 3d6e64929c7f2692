import { isAscii, isUtf8 } from 'node:buffer';
import { detectProtobuf } from './protobuf.ts';
import { detectText } from './text.ts';

/** Bytes at the start by which text is told from binary. */
const LOOKED_AT = 1024;
/** Text has at most one control character in this many bytes at its start. */
const BEGINNING = 16;

/**
 * The content-encoding of a record without that header, by its first bytes:
 *
 * 1. zstd's magic number and those of its skippable frames, which some compressors begin with (RFC 8878, 3.1), gzip's
 *    (RFC 1952, 2.3.1): no encoding begins with those.
 * 2. a snappy block, which has no magic: its header, the size when uncompressed, is plausible for the record's size,
 *    the first element is a literal, as it has to be, and the literal begins with a tag of a protobuf message that
 *    Penstock knows; in short records the elements have to add up to the size. Text (`isText`) is never snappy.
 * 3. zlib's header (RFC 1950, 2.2), which HTTP calls deflate, unless the record is text: the header begins with `x`.
 * 4. else none.
 */
export function detectContentEncoding(
  record: Uint8Array,
): 'zstd' | 'gzip' | 'snappy' | 'deflate' | 'identity' {
  const [b0, b1, b2, b3] = record;
  if (b0 === 0x28 && b1 === 0xb5 && b2 === 0x2f && b3 === 0xfd) return 'zstd';
  if (b1 === 0x2a && b2 === 0x4d && b3 === 0x18 && b0! >>> 4 === 5) return 'zstd';
  if (b0 === 0x1f && b1 === 0x8b) return 'gzip';
  if (isSnappy(record)) return isText(record) ? 'identity' : 'snappy';
  const isZlib = b0 === 0x78 && b1 !== undefined && (b0 * 256 + b1) % 31 === 0;
  return isZlib && !isText(record) ? 'deflate' : 'identity';
}

/**
 * The name of the decoder for an uncompressed body of unknown encoding; undefined if it fits none.
 *
 * 1. Byte 0 and a schema id of 4 bytes: Confluent's framing. No text has that byte, no protobuf message begins so.
 * 2. Text, which is UTF-8 without control characters: see `detectText`.
 * 3. Protobuf: see `detectProtobuf`. A message with a sample has control characters: some of its tags.
 * 4. UTF-8 that begins as text but has a control character, such as in a name or label: `detectText` again. A broken
 *    short snappy block may be UTF-8 too, but half of it are tags and lengths, which are control characters.
 * 5. At least three quarters ASCII and no control characters: text in another character set. Its decoder says which
 *    lines are not UTF-8.
 */
export function detectEncoding(body: Buffer): string | undefined {
  if (body.length === 0) return undefined;
  if (isConfluentFraming(body)) return 'confluent';
  if (body[0] === 0 && body.length >= 5) return undefined;
  if (isText(body)) return detectText(body);
  const encoding = detectProtobuf(body);
  if (encoding !== undefined) return encoding;
  if (!isText(body.subarray(0, 1))) return undefined;
  const isUtf8Text = body.subarray(0, BEGINNING).filter(isControl).length <= 1 && isUtf8(body);
  return isUtf8Text || isMostlyAscii(body.subarray(0, LOOKED_AT)) ? detectText(body) : undefined;
}

/** Byte 0 and a schema id of 4 bytes. The id's first byte is nearly always 0 too, where UTF-16 has a character. */
export function isConfluentFraming(body: Uint8Array): boolean {
  return body[0] === 0 && body.length >= 5 && !isUtf16(body);
}

/**
 * Whether bytes are text in UTF-16: they begin with its byte order mark, or every second one of the first 64 is zero
 * and the others are ASCII.
 */
export function isUtf16(body: Uint8Array): boolean {
  const [first, second] = body;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const start = body.subarray(0, UTF16_LOOKED_AT);
  return start.length >= 8 && start.length % 2 === 0 && (isSpacedOut(start, 0) || isSpacedOut(start, 1));
}

const UTF16_LOOKED_AT = 64;

function isSpacedOut(bytes: Uint8Array, zeros: 0 | 1): boolean {
  return bytes.every((byte, at) => (at % 2 === zeros ? byte === 0 : byte > 0 && byte < 0x80));
}

/** Whether the first `LOOKED_AT` bytes are UTF-8 without control characters other than tab and line ends. */
export function isText(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, LOOKED_AT);
  if (hasControls(start)) return false;
  if (isAscii(start)) return bytes.length > 0;
  // The last character may be cut in two.
  const mostCut = bytes.length > LOOKED_AT ? 3 : 0;
  for (let cut = 0; cut <= mostCut; cut++) if (isUtf8(start.subarray(0, start.length - cut))) return true;
  return false;
}

function isMostlyAscii(start: Uint8Array): boolean {
  if (hasControls(start)) return false;
  let ascii = 0;
  for (const byte of start) if (byte < 0x80) ascii++;
  return ascii * 4 >= start.length * 3;
}

function hasControls(start: Uint8Array): boolean {
  for (const byte of start) if (isControl(byte)) return true;
  return false;
}

/** A control character other than tab, newline and carriage return. */
function isControl(byte: number): boolean {
  return byte < 0x20 ? byte !== 0x0a && byte !== 0x09 && byte !== 0x0d : byte === 0x7f;
}

/** Upper bound of snappy's compression ratio: a copy of 3 bytes yields 64 at most; rounded up. */
const BEST_RATIO = 24;
/** Tags of the first field: series, metadata, symbols of remote write; ResourceMetrics of OTLP is field 1 too. */
const FIRST_TAGS: readonly number[] = [0x0a, 0x1a, 0x22, 0x2a];

/** github.com/google/snappy, format_description.txt, sections 1 and 2.1. */
function isSnappy(record: Uint8Array): boolean {
  let size = 0;
  let at = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = record[at++];
    if (byte === undefined || at > 5) return false;
    size += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const rest = record.length - at;
  if (size === 0) return rest === 0;
  // Incompressible content grows by a sixth at most.
  if (rest > 32 + size + size / 6) return false;
  const element = record[at];
  if (element === undefined) return false;
  // A short record may match by chance (`\n\f` may begin a message too), so all of its elements are checked.
  if (size < 128) return elementsMakeUp(record, at, size);
  if ((element & 3) !== 0) return false;
  const literal = element >> 2;
  const content = at + 1 + (literal < 60 ? 0 : literal - 59);
  // A truncated record is still snappy. A whole one that claims more than a block can hold is not told from it.
  return FIRST_TAGS.includes(record[content] ?? 0x0a) && (size <= rest * BEST_RATIO || size > LOOKED_AT);
}

/** Whether the elements from `start` on are well-formed and add up to `size` bytes. */
function elementsMakeUp(record: Uint8Array, start: number, size: number): boolean {
  let made = 0;
  let at = start;
  while (at < record.length) {
    const element = record[at++]!;
    const kind = element & 3;
    if (kind === 0) {
      let length = (element >> 2) + 1;
      if (length > 61) return false;
      if (length === 61) length = (record[at++] ?? 0) + 1;
      if (made === 0 && !FIRST_TAGS.includes(record[at] ?? 0)) return false;
      at += length;
      made += length;
    } else {
      const offset =
        kind === 1 ? ((element >> 5) << 8) | (record[at] ?? 0) : record[at]! | (record[at + 1]! << 8);
      if (kind === 3 || offset === 0 || offset > made) return false;
      made += kind === 1 ? ((element >> 2) & 7) + 4 : (element >> 2) + 1;
      at += kind;
    }
  }
  return at === record.length && made === size;
}
