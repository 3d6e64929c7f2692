import { joinBlocks, uncompressedLength } from '../../../core/wire/snappy.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';
import type { Tally } from './tally.ts';

/** Content of one remote-write request: a snappy WriteRequest and its tenant. */
export interface RemoteWriteBody {
  readonly body: Buffer;
  /** Tenant headers, as received. */
  readonly headers: Readonly<Record<string, string>>;
  /** Data points in it: samples and native histograms. */
  readonly samples: number;
}

/**
 * Records of one partition ▸ remote-write bodies, in order, each made on demand. Samples that are left out or unusable
 * go to the tally; those of the bodies do not, since they are not written yet.
 */
export interface BodySource {
  of(records: readonly FetchedRecord[], tally: Tally): Iterable<RemoteWriteBody>;
}

/** A body that holds others. */
export interface JoinedBody extends RemoteWriteBody {
  /** In order; one alone is the body itself. */
  readonly parts: readonly RemoteWriteBody[];
}

/** Most bytes of a joined body, compressed and uncompressed; a larger body stays alone. */
const ENOUGH_COMPRESSED_BYTES = 256 * 1024;
const ENOUGH_BYTES = 4 * 1024 * 1024;

/**
 * Joins neighbours of one tenant, in order, so that small records do not cost a request each. The bytes stay compressed
 * as they are (docs/internals/measurements.md).
 */
export function* joined(bodies: Iterable<RemoteWriteBody>): Generator<JoinedBody> {
  let parts: RemoteWriteBody[] = [];
  let tenant = '';
  let compressedBytes = 0;
  let bytes = 0;
  for (const part of bodies) {
    const key = JSON.stringify(part.headers);
    const length = lengthOf(part.body);
    const full =
      compressedBytes + part.body.length > ENOUGH_COMPRESSED_BYTES || bytes + length > ENOUGH_BYTES;
    if (parts.length > 0 && (full || key !== tenant)) {
      yield join(parts);
      parts = [];
      compressedBytes = bytes = 0;
    }
    parts.push(part);
    tenant = key;
    compressedBytes += part.body.length;
    bytes += length;
  }
  if (parts.length > 0) yield join(parts);
}

/** Bytes before compression; infinite for a broken header, so that the block is not joined. */
function lengthOf(snappy: Buffer): number {
  try {
    return uncompressedLength(snappy);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function join(parts: readonly RemoteWriteBody[]): JoinedBody {
  const [first] = parts;
  if (parts.length === 1) return { ...first!, parts };
  const body = joinBlocks(parts.map((part) => part.body));
  const samples = parts.reduce((sum, part) => sum + part.samples, 0);
  return { body, headers: first!.headers, samples, parts };
}
