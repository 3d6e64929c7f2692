import { constants, gunzipSync, inflateSync, type Zlib } from 'node:zlib';
import { errorMessage, PoisonError } from '../model/errors.ts';
import { uncompress } from '../wire/snappy.ts';
import { zstdDecompress } from '../wire/zstd.ts';
import { detectContentEncoding } from './detect/detect.ts';
import type { RecordBudget } from './record-budget.ts';

/** Largest result if the configuration sets no limit, in bytes. */
const NO_LIMIT = 0x7fffffff;

export type Compression = 'snappy' | 'gzip' | 'deflate' | 'zstd';
type Encoding = Compression | 'identity';

/** Names of a content-encoding, in lower case. */
const NAMES = new Map<string, Encoding>([
  ['snappy', 'snappy'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['zstd', 'zstd'],
  ['identity', 'identity'],
  ['none', 'identity'],
  ['', 'identity'],
]);

const COMPRESSIONS: readonly Compression[] = ['snappy', 'gzip', 'deflate', 'zstd'];

/** Limits of decompressing one body. */
export interface DecompressLimits {
  /** Largest result in bytes, 0 is no limit. */
  readonly maxBytes: number;
  readonly budget?: RecordBudget | undefined;
}

/**
 * Decompresses a record's body. Neither the result nor the memory used for it exceeds `maxBytes`, whatever a header
 * inside the body claims. Bytes after the end of the compressed data refuse the record.
 *
 * A body that is not in the declared compression, but clearly in another, is decompressed as that: agents fall back
 * from one to another without a change to the header (vmagent tries zstd and snappy too). A body that begins as
 * declared is broken, not mislabelled. Without a header, `others` are the compressions that the encoding's engines try
 * besides its default. A body declared as compressed that is plain is refused, as engines do: a truncated snappy block
 * may pass for text.
 *
 * Throws PoisonError with the reason `snappy`, `gzip`, `deflate`, `zstd`, `record_too_large` or `content_encoding`.
 */
export function decompress(
  encoding: string,
  body: Buffer,
  limits: DecompressLimits,
  others: readonly Compression[] = COMPRESSIONS,
): Buffer {
  const said = NAMES.get(encoding);
  if (said === undefined) {
    throw new PoisonError(
      'decode',
      'content_encoding',
      `content-encoding ${JSON.stringify(encoding)} is not known; expected snappy, gzip, deflate, zstd or identity`,
    );
  }
  if (said === 'identity') return uncompressed(body, limits);
  try {
    return unpack(said, body, limits);
  } catch (error) {
    if (!(error instanceof PoisonError) || error.reason !== said) throw error;
    const unpacked = mislabelled(said, body, limits, others);
    if (unpacked !== undefined) return unpacked;
    throw error;
  }
}

/** A body declared as plain: decompressed if it is compressed nonetheless. */
function uncompressed(body: Buffer, limits: DecompressLimits): Buffer {
  const found = detectContentEncoding(body);
  if (found !== 'identity') {
    // zstd and gzip begin with a magic number that no encoding begins with; marks of the others may be chance.
    if (found === 'zstd' || found === 'gzip') return unpack(found, body, limits);
    const unpacked = attempt(found, body, limits);
    if (unpacked !== undefined) return unpacked;
  }
  const limit = limits.maxBytes || NO_LIMIT;
  if (body.length > limit) throw tooLarge(`the record has ${body.length} bytes`, limit);
  return body;
}

/** A body that is not in its declared compression, decompressed; undefined if it is in no other either. */
function mislabelled(
  said: Compression,
  body: Buffer,
  limits: DecompressLimits,
  others: readonly Compression[],
): Buffer | undefined {
  const found = detectContentEncoding(body);
  if (found === said) return undefined;
  if (found !== 'identity' && found !== 'snappy' && others.includes(found)) {
    if (found !== 'deflate') return unpack(found, body, limits);
    const unpacked = attempt(found, body, limits);
    if (unpacked !== undefined) return unpacked;
  }
  return said !== 'snappy' && others.includes('snappy') ? attempt('snappy', body, limits) : undefined;
}

/** The body decompressed; undefined if it is not in this compression. */
function attempt(compression: Compression, body: Buffer, limits: DecompressLimits): Buffer | undefined {
  try {
    return unpack(compression, body, limits);
  } catch (error) {
    if (error instanceof PoisonError && error.reason === compression) return undefined;
    // Bytes that are not snappy may claim any size.
    if (compression === 'snappy' && error instanceof PoisonError) return undefined;
    throw error;
  }
}

function unpack(compression: Compression, body: Buffer, { maxBytes, budget }: DecompressLimits): Buffer {
  const limit = maxBytes || NO_LIMIT;
  switch (compression) {
    case 'snappy':
      return uncompress(body, limit);
    case 'zstd':
      return zstdDecompress(body, limit, budget && ((units) => budget.spend(units)));
    default:
      return inflate(compression, body, limit);
  }
}

/** Result with `info: true`. Node ignores bytes after the end of the data: the engine says how far it has read. */
interface WithEngine {
  readonly buffer: Buffer;
  readonly engine: Zlib;
}

function inflate(name: 'gzip' | 'deflate', body: Buffer, limit: number): Buffer {
  const options = { maxOutputLength: limit, info: true } as const;
  let inflated: WithEngine;
  try {
    const result: unknown = name === 'gzip' ? gunzipSync(body, options) : inflateSync(body, options);
    inflated = result as WithEngine;
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(`the ${name} body is larger when inflated`, limit);
    const what = isCutOff(error)
      ? `it is cut off: it ends after ${body.length} bytes`
      : `${errorMessage(error)}, in the data or in what follows it`;
    throw invalid(name, what, error);
  }
  const rest = body.length - inflated.engine.bytesWritten;
  if (rest > 0) throw invalid(name, `${rest} bytes follow the end of the data`);
  return inflated.buffer;
}

/**
 * The complete lines of a truncated gzip body; undefined if it is whole, or broken in another way. Influx clients that
 * stream (`Stream-Mode: 1`) expect the lines before the cut to count, as in vmagent. The text after the last newline
 * may be part of a line: `v=12` of `v=123`.
 */
export function linesBeforeCut(body: Buffer, { maxBytes }: DecompressLimits): CutOff | undefined {
  const limit = maxBytes || NO_LIMIT;
  try {
    gunzipSync(body, { maxOutputLength: limit });
    return undefined;
  } catch (error) {
    if (!isCutOff(error)) return undefined;
  }
  const there = gunzipSync(body, { maxOutputLength: limit, finishFlush: constants.Z_SYNC_FLUSH });
  const end = there.lastIndexOf(0x0a) + 1;
  return { lines: there.subarray(0, end), rest: there.subarray(end) };
}

export interface CutOff {
  readonly lines: Buffer;
  /** Bytes after the last newline. */
  readonly rest: Buffer;
}

function isCutOff(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
}

function invalid(name: string, what: string, cause?: unknown): PoisonError {
  return new PoisonError('decode', name, `the body is not valid ${name}: ${what}`, { cause });
}

function tooLarge(what: string, limit: number): PoisonError {
  return new PoisonError(
    'decode',
    'record_too_large',
    `${what}, more than the limit of ${limit} bytes (worker.limits.record_bytes)`,
  );
}
