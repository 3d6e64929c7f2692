import { constants, gunzipSync, inflateSync, type Zlib } from 'node:zlib';
import { errorMessage, PoisonError } from '../model/errors.ts';
import { uncompress } from '../wire/snappy.ts';
import { zstdDecompress } from '../wire/zstd.ts';
import { detectContentEncoding } from './detect/detect.ts';
import type { RecordBudget } from './record-budget.ts';

/** Largest buffer that is tried where the configuration sets no limit. */
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

/** What a body may cost to decompress. */
export interface DecompressLimits {
  /** Largest result in bytes, 0 is no limit. */
  readonly maxBytes: number;
  readonly budget?: RecordBudget | undefined;
}

/**
 * Takes off a record's content-encoding. No result is larger than `maxBytes`, whatever a header inside the body claims;
 * memory is not taken beyond that either. Every byte of the body is part of the result: what follows the end of the
 * compressed data refuses the record.
 *
 * A body that is not in the compression that its header says, and beyond doubt in another one, is taken for what it is:
 * agents fall back from one to another without a change to the header (vmagent tries zstd and snappy too). A body that
 * begins as it says is broken, not mislabelled. Where no header says anything, `others` are those that the encoding's
 * engines try besides its own. One that is said to be compressed and is not is refused, as engines do: a
 * block of snappy that is cut off may pass for text.
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

/** A body that is said to be plain, and may yet be compressed. */
function uncompressed(body: Buffer, limits: DecompressLimits): Buffer {
  const found = detectContentEncoding(body);
  if (found !== 'identity') {
    // These begin with a magic number that no encoding begins with; the marks of the others may be chance.
    if (found === 'zstd' || found === 'gzip') return unpack(found, body, limits);
    const unpacked = attempt(found, body, limits);
    if (unpacked !== undefined) return unpacked;
  }
  const limit = limits.maxBytes || NO_LIMIT;
  if (body.length > limit) throw tooLarge(`the record has ${body.length} bytes`, limit);
  return body;
}

/** A body that is not in the compression it is said to be in; undefined where it is in no other either. */
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

/** Undefined where the body is not in this compression. */
function attempt(compression: Compression, body: Buffer, limits: DecompressLimits): Buffer | undefined {
  try {
    return unpack(compression, body, limits);
  } catch (error) {
    if (error instanceof PoisonError && error.reason === compression) return undefined;
    // Bytes that are not snappy claim any size.
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

/** Node's functions pass over what follows the end of the data: they are asked how far they read. */
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
 * The complete lines of a gzip body whose end is missing; undefined where it is whole, or broken in another way.
 * Influx clients that stream (`Stream-Mode: 1`) expect the lines before the cut to count, as in vmagent. What follows the
 * last newline is part of a line, or may be: `v=12` of `v=123`.
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
  /** What there is behind the last newline. */
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
    `${what}, more than the limit of ${limit} bytes (ingest.limits.record_bytes)`,
  );
}
