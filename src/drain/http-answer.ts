/** What is kept of an HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The first bytes of the body. */
  readonly text: string;
  /** Another request may go over the same connection. */
  readonly reusable: boolean;
}

const HEAD_END = '\r\n\r\n';
const MOST_HEAD_BYTES = 64 * 1024;
const KEPT_TEXT_BYTES = 8 * 1024;
const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: |\r|$)/;
const CHUNK_SIZE = /^[0-9a-f]{1,12}(?=[;\s]|$)/i;
const DIGITS = /^\d{1,15}$/;

/** Where the reader is: what the next bytes are. */
type Part = 'head' | 'body' | 'until close' | 'chunk size' | 'chunk' | 'chunk end' | 'trailers' | 'whole';

interface Head {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly persistent: boolean;
}

/**
 * Reads one answer of an HTTP/1.1 server to a POST (RFC 9112), piece by piece. Interim answers (1xx) are passed over.
 * A body is counted, not kept, but for its beginning.
 */
export class HttpAnswerReader {
  #part: Part = 'head';
  /** Text that is not a whole line or head yet. */
  #pending = '';
  #head: Head | undefined;
  /** Bytes of the body, or of the chunk, that are still to come. */
  #left = 0;
  #text = '';
  #textBytes = 0;

  /**
   * Takes the next bytes. They may be changed afterwards.
   *
   * @returns the answer once it is whole
   * @throws Error when this is not HTTP/1.1
   */
  push(piece: Buffer): HttpAnswer | undefined {
    let at = 0;
    while (at < piece.length && this.#part !== 'whole') {
      if (this.#part === 'body' || this.#part === 'chunk' || this.#part === 'until close') {
        at += this.#content(piece.subarray(at));
      } else {
        at = this.#lines(piece, at);
      }
    }
    if (this.#part !== 'whole') return undefined;
    // What comes unasked behind an answer makes the connection worth nothing.
    return this.#answer(this.#head!.persistent && at === piece.length);
  }

  /** The connection has ended. @returns the answer if that was its end */
  end(): HttpAnswer | undefined {
    return this.#part === 'until close' ? this.#answer(false) : undefined;
  }

  /** Takes as much of a line, or of a head, as there is. @returns where the rest begins */
  #lines(piece: Buffer, at: number): number {
    const before = this.#pending.length;
    this.#pending += piece.toString('latin1', at);
    const end = this.#part === 'head' ? HEAD_END : '\r\n';
    const found = this.#pending.indexOf(end, Math.max(0, before - end.length));
    if (found < 0) {
      if (this.#pending.length > MOST_HEAD_BYTES) throw new Error('the answer has a head without an end');
      return piece.length;
    }
    const text = this.#pending.slice(0, found);
    this.#pending = '';
    if (this.#part === 'head') this.#begin(text);
    else if (this.#part === 'chunk size') this.#beginChunk(text);
    else if (this.#part === 'chunk end') this.#part = 'chunk size';
    else if (text === '') this.#part = 'whole'; // the end of the trailers
    return at + found + end.length - before;
  }

  #begin(text: string): void {
    const match = STATUS_LINE.exec(text);
    if (match === null) throw new Error('the answer is not HTTP/1.1');
    const status = Number(match[2]);
    if (status < 200) {
      if (status === 101) throw new Error('the answer changes the protocol');
      return;
    }
    const fields = headerFields(text);
    const connection = fields.get('connection')?.toLowerCase() ?? '';
    const persistent = match[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive');
    this.#head = { status, retryAfter: fields.get('retry-after'), persistent };
    const length = fields.get('content-length');
    const coding = fields.get('transfer-encoding')?.toLowerCase();
    if (status === 204 || status === 304) this.#part = 'whole';
    else if (coding !== undefined) this.#part = coding.endsWith('chunked') ? 'chunk size' : 'until close';
    else if (length === undefined) this.#part = 'until close';
    else {
      if (!DIGITS.test(length)) throw new Error(`the answer has the length ${length.slice(0, 40)}`);
      this.#left = Number(length);
      this.#part = this.#left === 0 ? 'whole' : 'body';
    }
  }

  #beginChunk(line: string): void {
    const size = CHUNK_SIZE.exec(line);
    if (size === null) throw new Error('the answer has a chunk without a size');
    this.#left = Number.parseInt(size[0], 16);
    this.#part = this.#left === 0 ? 'trailers' : 'chunk';
  }

  /** @returns how many bytes belong to the body */
  #content(bytes: Buffer): number {
    const taken = this.#part === 'until close' ? bytes.length : Math.min(this.#left, bytes.length);
    const kept = Math.min(taken, KEPT_TEXT_BYTES - this.#textBytes);
    if (kept > 0) this.#text += bytes.toString('latin1', 0, kept);
    this.#textBytes += kept;
    if (this.#part === 'until close') return taken;
    this.#left -= taken;
    if (this.#left === 0) this.#part = this.#part === 'body' ? 'whole' : 'chunk end';
    return taken;
  }

  #answer(reusable: boolean): HttpAnswer {
    const { status, retryAfter } = this.#head!;
    return { status, retryAfter, text: Buffer.from(this.#text, 'latin1').toString(), reusable };
  }
}

/** Header fields by name in lower case; those of one name joined with commas. */
function headerFields(head: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}
