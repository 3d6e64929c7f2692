import { constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { errorMessage, PoisonError } from '../model/errors.ts';
import { uncompress } from '../wire/snappy.ts';

/** Largest buffer that is tried where the configuration sets no limit. */
const NO_LIMIT = 0x7fffffff;

const TAKE_WHAT_IS_THERE = { finishFlush: constants.Z_SYNC_FLUSH } as const;

/**
 * Takes off a record's content-encoding. No result is larger than `maxBytes` (0: no limit), whatever a header inside
 * the body claims; memory is not taken beyond that either.
 * With `mayBeCutOff` a gzip body without its end yields what is there: Influx clients that stream (`Stream-Mode: 1`)
 * expect the lines before the cut to count, as in vmagent.
 * Throws PoisonError with the reason `snappy`, `gzip`, `deflate`, `zstd`, `record_too_large` or `content_encoding`.
 */
export function decompress(encoding: string, body: Buffer, maxBytes: number, mayBeCutOff = false): Buffer {
  const limit = maxBytes === 0 ? NO_LIMIT : maxBytes;
  switch (encoding) {
    case 'snappy':
      return uncompress(body, limit);
    case 'identity':
    case 'none':
    case '':
      if (body.length > limit) throw tooLarge(`the record has ${body.length} bytes`, limit);
      return body;
    case 'gzip':
    case 'x-gzip':
      return inflate(
        'gzip',
        () => gunzipSync(body, { maxOutputLength: limit, ...(mayBeCutOff ? TAKE_WHAT_IS_THERE : {}) }),
        limit,
      );
    case 'deflate':
      return inflate('deflate', () => inflateSync(body, { maxOutputLength: limit }), limit);
    case 'zstd':
      return inflate('zstd', () => zstdDecompressSync(body, { maxOutputLength: limit }), limit);
    default:
      throw new PoisonError(
        'decode',
        'content_encoding',
        `content-encoding ${JSON.stringify(encoding)} is not known; expected snappy, gzip, deflate, zstd or identity`,
      );
  }
}

function inflate(name: 'gzip' | 'deflate' | 'zstd', run: () => Buffer, limit: number): Buffer {
  try {
    return run();
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(`the ${name} body is larger when inflated`, limit);
    throw new PoisonError('decode', name, `the body is not valid ${name}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function tooLarge(what: string, limit: number): PoisonError {
  return new PoisonError(
    'decode',
    'record_too_large',
    `${what}, more than the limit of ${limit} bytes (ingest.limits.record_bytes)`,
  );
}
