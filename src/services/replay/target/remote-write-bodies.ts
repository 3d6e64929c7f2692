import { detectContentEncoding } from '../../../core/decode/detect/detect.ts';
import { headerText } from '../../../core/decode/record-headers.ts';
import { PoisonError } from '../../../core/model/errors.ts';
import type { Pipeline } from '../../../core/pipeline/pipeline.ts';
import { tenantHeadersOf } from '../../../core/pipeline/tenant.ts';
import { taskRecordSamples } from '../../../core/record/task-record.ts';
import { release } from '../../../core/wire/bytes.ts';
import { compress, joinBlocks, uncompressedLength } from '../../../core/wire/snappy.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';
import type { Selection } from '../plan/selection.ts';
import { routeChunk } from './route-target.ts';
import { Tally } from './target.ts';

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
export type BodySource = (records: readonly FetchedRecord[], tally: Tally) => Iterable<RemoteWriteBody>;

/**
 * Series as received.
 *
 * Fast path: a task record has its number of samples in a header, and a record that is snappy remote write 1.0 already
 * is sent as it is; only what is cut or in another encoding is compressed again (docs/internals/measurements.md).
 *
 * @param tenantBytes longest value of a tenant header: a record with a longer one is refused, as by a worker
 */
export function rawBodies(
  selection: Selection,
  tenantHeaders: readonly string[],
  tenantBytes?: number,
): BodySource {
  const bodyOf = (record: FetchedRecord, tally: Tally): RemoteWriteBody | undefined => {
    const headers = tenantHeadersOf(record.headers, tenantHeaders, tenantBytes);
    const known = selection.takesAll ? taskRecordSamples(record.value, record.headers) : undefined;
    if (known !== undefined) return { body: record.value!, headers, samples: known };
    const opened = selection.open(record);
    const { body, samples } = opened;
    tally.leave(opened);
    if (body === undefined || body.length === 0) return undefined;
    const value = record.value!;
    const asItIs = opened.whole && opened.passedThrough && isSnappy(record);
    const compressed = asItIs ? value : compress(body);
    if (body.buffer !== value.buffer) release(body);
    return { body: compressed, headers, samples };
  };
  return function* (records, tally) {
    for (const record of records) {
      try {
        const body = bodyOf(record, tally);
        if (body !== undefined) yield body;
      } catch (error) {
        if (!(error instanceof PoisonError)) throw error;
        tally.refuse(error.reason);
      }
    }
  };
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

/** Whether a record whose bytes are a WriteRequest, once decompressed, is snappy. */
function isSnappy({ value, headers }: FetchedRecord): boolean {
  const said = headerText(headers, 'content-encoding').toLowerCase();
  if (said !== '') return said === 'snappy';
  // Without the header the decoder took its encoding's default, or went by the bytes; they tell which it was.
  return detectContentEncoding(value!) === 'snappy';
}

/** Series as the one route of a pipeline makes them: matched, relabeled, with the task label; one body a task. */
export function routedBodies(pipeline: Pipeline, selection: Selection): BodySource {
  return function* (records, tally) {
    const routed = new Tally();
    const made = routeChunk({ partition: records[0]!.partition, records }, pipeline, selection, routed);
    tally.leave(routed);
    for (const { value, samples, tenant } of made) {
      const headers = Object.fromEntries(
        Object.entries(tenant.headers).map(([name, text]) => [name, text.toString()]),
      );
      yield { body: value, headers, samples };
    }
  };
}
