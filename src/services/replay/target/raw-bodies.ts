import { detectContentEncoding } from '../../../core/decode/detect/detect.ts';
import { headerText } from '../../../core/decode/record-headers.ts';
import { PoisonError } from '../../../core/model/errors.ts';
import { tenantHeadersOf } from '../../../core/pipeline/tenant.ts';
import { taskRecordSamples } from '../../../core/record/task-record.ts';
import { release } from '../../../core/wire/bytes.ts';
import { compress } from '../../../core/wire/snappy.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';
import type { Selection } from '../plan/selection.ts';
import type { BodySource, RemoteWriteBody } from './remote-write-bodies.ts';
import type { Tally } from './tally.ts';

/**
 * Series as received.
 *
 * Fast path: a task record has its number of samples in a header, and a record that is snappy remote write 1.0 already
 * is sent as it is; only what is cut or in another encoding is compressed again (docs/internals/measurements.md).
 */
export class RawBodies implements BodySource {
  readonly #selection: Selection;
  readonly #tenantHeaders: readonly string[];
  readonly #tenantBytes: number | undefined;

  /** @param tenantBytes longest value of a tenant header: a record with a longer one is refused, as by a worker */
  constructor(selection: Selection, tenantHeaders: readonly string[], tenantBytes?: number) {
    this.#selection = selection;
    this.#tenantHeaders = tenantHeaders;
    this.#tenantBytes = tenantBytes;
  }

  *of(records: readonly FetchedRecord[], tally: Tally): Generator<RemoteWriteBody> {
    for (const record of records) {
      const body = this.#body(record, tally);
      if (body !== undefined) yield body;
    }
  }

  #body(record: FetchedRecord, tally: Tally): RemoteWriteBody | undefined {
    let headers: Record<string, string>;
    try {
      headers = tenantHeadersOf(record.headers, this.#tenantHeaders, this.#tenantBytes);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      tally.refuse(error.reason);
      return undefined;
    }
    const known = this.#selection.takesAll ? taskRecordSamples(record.value, record.headers) : undefined;
    if (known !== undefined) return { body: record.value!, headers, samples: known };
    const { body, whole, passedThrough, samples, leftOut, refused } = this.#selection.open(record);
    tally.leftOut += leftOut;
    tally.refuseAll(refused);
    if (body === undefined || body.length === 0) return undefined;
    const value = record.value!;
    const asItIs = whole && passedThrough && isSnappy(record);
    const compressed = asItIs ? value : compress(body);
    if (body.buffer !== value.buffer) release(body);
    return { body: compressed, headers, samples };
  }
}

/** Whether a record whose bytes are a WriteRequest, once decompressed, is snappy. */
function isSnappy({ value, headers }: FetchedRecord): boolean {
  const said = headerText(headers, 'content-encoding').toLowerCase();
  if (said !== '') return said === 'snappy';
  // Without the header the decoder took its encoding's default, or went by the bytes; they tell which it was.
  return detectContentEncoding(value!) === 'snappy';
}
