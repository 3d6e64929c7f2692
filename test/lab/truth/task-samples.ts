import { ProtobufReader } from '../../../src/core/wire/protobuf-reader.ts';
import { uncompress } from '../../../src/core/wire/snappy.ts';
import { LABEL, SAMPLE, TIME_SERIES, WRITE_REQUEST } from '../../../src/core/wire/write-request.ts';

/** Samples in the records of a task topic. */
export interface FoundSamples {
  /** `series@timestamp` ▸ value. */
  readonly samples: Map<string, number>;
  /** Number of samples found again. */
  repeated: number;
  /** Number of samples older than one before them in their series. */
  outOfOrder: number;
}

/** Reads records in the order given, with plain code that is not under test. */
export function samplesOf(records: readonly { readonly value: Buffer | null }[]): FoundSamples {
  const found: FoundSamples = { samples: new Map(), repeated: 0, outOfOrder: 0 };
  const newest = new Map<string, number>();
  for (const { value } of records) {
    const request = new ProtobufReader(uncompress(value!, 256 * 1024 * 1024));
    while (request.next()) {
      if (request.field !== WRITE_REQUEST.timeseries) request.skip();
      else readSeries(request.message(), found, newest);
    }
  }
  return found;
}

function readSeries(reader: ProtobufReader, found: FoundSamples, newest: Map<string, number>): void {
  const labels: string[] = [];
  const samples: { value: number; time: number }[] = [];
  while (reader.next()) {
    if (reader.field === TIME_SERIES.labels) labels.push(readLabel(reader.message()));
    else if (reader.field === TIME_SERIES.samples) samples.push(readSample(reader.message()));
    else reader.skip();
  }
  const series = labels.join();
  for (const { value, time } of samples) {
    const key = `${series}@${time}`;
    if (found.samples.has(key)) found.repeated += 1;
    if (time < (newest.get(series) ?? Number.NEGATIVE_INFINITY)) found.outOfOrder += 1;
    newest.set(series, time);
    found.samples.set(key, value);
  }
}

function readLabel(reader: ProtobufReader): string {
  const text = (at: number, end: number) => Buffer.from(reader.bytes.subarray(at, end)).toString();
  const parts = { name: '', value: '' };
  while (reader.next()) {
    const start = reader.block();
    parts[reader.field === LABEL.name ? 'name' : 'value'] = text(start, reader.position);
  }
  return `${parts.name}=${JSON.stringify(parts.value)}`;
}

function readSample(reader: ProtobufReader): { value: number; time: number } {
  const sample = { value: 0, time: 0 };
  while (reader.next()) {
    if (reader.field === SAMPLE.value) sample.value = reader.double();
    else sample.time = Number(reader.int64());
  }
  return sample;
}
