/** Delimiters of text, and searches for them. All take `[start, end)`; the `find` functions return -1 for none. */
export const TAB = 0x09;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const COMMA = 0x2c;
export const EQUALS = 0x3d;
export const SEMICOLON = 0x3b;
export const BACKSLASH = 0x5c;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/** The first `byte`. For short ranges: cheaper than a native call. */
export function find(bytes: Uint8Array, start: number, end: number, byte: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}

/** The first space or tab. */
export function findBlank(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === SPACE || byte === TAB) return at;
  }
  return -1;
}

/** The last space or tab. */
export function findLastBlank(bytes: Uint8Array, start: number, end: number): number {
  for (let at = end - 1; at >= start; at--) {
    const byte = bytes[at];
    if (byte === SPACE || byte === TAB) return at;
  }
  return -1;
}

/** The first position that is not a space, or `end`. */
export function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] === SPACE) at++;
  return at;
}

/** The first position that is neither space nor tab, or `end`. */
export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

/** The end of the range without trailing spaces and tabs. */
export function trimBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--;
  return at;
}

/** The unescaped byte, by the byte after the backslash; 0 if that is not an escape. */
export type Escapes = Uint8Array;

/** `escaped` and `meant` are characters of ASCII, one for one. */
export function escapes(escaped: string, meant: string): Escapes {
  const table = new Uint8Array(256);
  for (let at = 0; at < escaped.length; at++) table[escaped.charCodeAt(at)] = meant.charCodeAt(at);
  return table;
}

/**
 * Writes the text, unescaped, to `into`. Returns whether it has a backslash; if not, `into` is unchanged. A backslash
 * that begins no escape is kept.
 */
export function unescapeText(
  into: Scratch,
  bytes: Uint8Array,
  start: number,
  end: number,
  known: Escapes,
): boolean {
  const first = find(bytes, start, end, BACKSLASH);
  if (first < 0) return false;
  into.clear();
  into.append(bytes, start, first);
  for (let at = first; at < end; at++) {
    let byte = bytes[at]!;
    if (byte === BACKSLASH && at + 1 < end) {
      const escaped = bytes[++at]!;
      byte = known[escaped]!;
      if (byte === 0) {
        into.push(BACKSLASH);
        byte = escaped;
      }
    }
    into.push(byte);
  }
  return true;
}

/** Largest buffer that a Scratch keeps. */
const KEPT_BYTES = 1024 * 1024;

/** A reusable buffer for bytes being assembled, such as an unescaped value. */
export class Scratch {
  bytes = Buffer.allocUnsafeSlow(1024);
  length = 0;

  clear(): void {
    this.length = 0;
    // One huge record must not hold its memory forever.
    if (this.bytes.length > KEPT_BYTES) {
      this.bytes = Buffer.allocUnsafeSlow(1024);
    }
  }

  push(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1);
    this.bytes[this.length++] = byte;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) this.#grow(needed);
    let at = this.length;
    for (let i = start; i < end; i++) this.bytes[at++] = bytes[i]!;
    this.length = at;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
