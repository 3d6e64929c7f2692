/** Python's `surrogateescape` (PEP 383): an invalid byte b becomes the lone surrogate 0xDC00 + b. */
const ESCAPED = 0xdc00;

/** Decodes bytes that are not all UTF-8. Invalid ones become lone surrogates, so `isWellFormed` is false. */
export function escapeInvalid(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = characterBytes(bytes, at);
    if (size === 0) {
      units[length++] = ESCAPED + bytes[at++]!;
      continue;
    }
    const point = codePoint(bytes, at, size);
    at += size;
    if (point > 0xffff) {
      units[length++] = 0xd800 + ((point - 0x10000) >> 10);
      units[length++] = 0xdc00 + ((point - 0x10000) & 0x3ff);
    } else units[length++] = point;
  }
  return Buffer.from(units.buffer, 0, length * 2).toString('utf16le');
}

/** Bytes of the character at `at` (RFC 3629, section 4); 0 if it is invalid. */
function characterBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (let i = 1; i < size; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const point = codePoint(bytes, at, size);
  // Overlong forms, surrogates, and code points above U+10FFFF.
  if (size === 3 && (point < 0x800 || (point >= 0xd800 && point <= 0xdfff))) return 0;
  return size === 4 && (point < 0x10000 || point > 0x10ffff) ? 0 : size;
}

function codePoint(bytes: Uint8Array, at: number, size: number): number {
  if (size === 1) return bytes[at]!;
  let point = bytes[at]! & (0x7f >> size);
  for (let i = 1; i < size; i++) point = (point << 6) | (bytes[at + i]! & 0x3f);
  return point;
}

/**
 * The first `most` bytes as quoted text, for messages. Invalid bytes stay recognisable (`\\udce9` is E9); U+FFFD would
 * hide them.
 */
export function quoteBytes(bytes: Uint8Array, most: number): string {
  let end = Math.min(bytes.length, most);
  // Do not cut a character in two.
  for (let cut = 0; end < bytes.length && cut < 3 && (bytes[end]! & 0xc0) === 0x80; cut++) end--;
  const start = bytes.subarray(0, end);
  return JSON.stringify(escapeInvalid(start) + (end < bytes.length ? '…' : ''));
}
