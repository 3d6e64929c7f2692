import type { DecoderRegistry } from '../../core/decode/registry.ts';
import type { SchemaId } from '../../core/decode/schema/writer-schema.ts';
import { errorMessage, messageText, PoisonError, RetryableError } from '../../core/model/errors.ts';
import type { Label } from '../../core/model/labels.ts';
import { recordTime } from '../../core/record/record-time.ts';
import type { StoredLetter } from '../../core/record/stored-letter.ts';
import { ProtobufReader } from '../../core/wire/protobuf-reader.ts';
import { LABEL, SAMPLE, TIME_SERIES, WRITE_REQUEST } from '../../core/wire/write-request.ts';

export interface ShownSeries {
  readonly labels: readonly Label[];
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
  readonly exemplars: number;
  readonly histograms: number;
}

/** The value of a letter, decoded as far as it goes. */
export interface Contents {
  readonly bytes: number;
  /** Name of the decoder that took it; undefined: none did. */
  readonly encoding: string | undefined;
  readonly series: readonly ShownSeries[];
  /** Series that were decoded beyond those shown. */
  readonly more: number;
  /** Messages of the parts that the decoder set aside, the first `SHOWN_REJECTS`. */
  readonly rejects: readonly string[];
  /** Why decoding stopped before the end; undefined: it did not. */
  readonly fault: string | undefined;
}

/** The only limits on a letter that is shown: bytes after decompression, and CPU time in ms per MiB. */
const SHOWN_BYTES = 256 * 1024 * 1024;
const SHOWN_MS = 1_000;
const SHOWN_REJECTS = 20;
const LIMITS = {
  record_bytes: SHOWN_BYTES,
  series_per_record: 0,
  faults_per_record: 0,
  buckets_per_histogram: 0,
  record_time: SHOWN_MS,
  labels_per_series: 0,
  label_name_bytes: 0,
  label_value_bytes: 0,
};

/** Id of the schema that `contentsOf` needs for the letter; undefined: none. */
export function neededSchema({ record }: StoredLetter, decoders: DecoderRegistry): SchemaId | undefined {
  const { value, headers } = record;
  return value === null ? undefined : decoders.schemaId(value, { headers, limits: LIMITS });
}

export function contentsOf(
  { record }: StoredLetter,
  decoders: DecoderRegistry,
  mostSeries: number,
): Contents {
  const { value, headers } = record;
  const timestamp = recordTime(record, () => record.timestamp);
  const contents = {
    bytes: value?.length ?? 0,
    encoding: undefined as string | undefined,
    rejects: [] as string[],
  };
  const series: ShownSeries[] = [];
  let count = 0;
  let fault: string | undefined;
  try {
    if (value === null || value.length === 0)
      throw new PoisonError('decode', 'empty_record', 'there is no value');
    const found = decoders.find(value, { headers, timestamp, limits: LIMITS });
    contents.encoding = found.encoding;
    const { body, rejects } = found.decode();
    contents.rejects = rejects.slice(0, SHOWN_REJECTS).map(({ message }) => message);
    const request = new ProtobufReader(body);
    while (request.next()) {
      const isSeries = request.field === WRITE_REQUEST.timeseries;
      if (isSeries && count < mostSeries) series.push(readSeries(request.message()));
      else request.skip();
      if (isSeries) count++;
    }
  } catch (error) {
    if (error instanceof RetryableError) throw error;
    const message = errorMessage(error);
    fault = error instanceof PoisonError ? message : messageText(`a defect of Penstock: ${message}`);
  }
  return { ...contents, series, more: count - series.length, fault };
}

function readSeries(reader: ProtobufReader): ShownSeries {
  const labels: Label[] = [];
  const samples: { value: number; timestamp: number }[] = [];
  const counts = { exemplars: 0, histograms: 0 };
  while (reader.next()) {
    if (reader.field === TIME_SERIES.labels) labels.push(readLabel(reader.message()));
    else if (reader.field === TIME_SERIES.samples) samples.push(readSample(reader.message()));
    else {
      if (reader.field === TIME_SERIES.exemplars) counts.exemplars++;
      else if (reader.field === TIME_SERIES.histograms) counts.histograms++;
      reader.skip();
    }
  }
  return { labels, samples, ...counts };
}

function readLabel(reader: ProtobufReader): Label {
  const label = { name: '', value: '' };
  while (reader.next()) {
    if (reader.field !== LABEL.name && reader.field !== LABEL.value) {
      reader.skip();
      continue;
    }
    const start = reader.block();
    const text = Buffer.from(reader.bytes.subarray(start, reader.position)).toString();
    label[reader.field === LABEL.name ? 'name' : 'value'] = text;
  }
  return label;
}

function readSample(reader: ProtobufReader): { value: number; timestamp: number } {
  const sample = { value: 0, timestamp: 0 };
  while (reader.next()) {
    if (reader.field === SAMPLE.value) sample.value = reader.double();
    else if (reader.field === SAMPLE.timestamp) sample.timestamp = Number(reader.int64());
    else reader.skip();
  }
  return sample;
}
