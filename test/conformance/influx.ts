import type { InfluxOptions } from '../../src/core/decode/decode-options.ts';
import { Flags } from './flags.ts';
import { type IngestTextCase, receiptCutTo, runIngestText } from './ingest-text.ts';

/** What the arguments of the vectors cut the time of receipt to, in ms. */
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Runs one case of ingest-influx.json. */
export function runInfluxCase(testCase: unknown): string | undefined {
  const ingest = testCase as IngestTextCase;
  const flags = new Flags(ingest.options.flags);
  const trim = flags.durationMs('influxTrimTimestamp');
  const influx: Partial<InfluxOptions> = {
    ...given('measurement_field_separator', flags.text('influxMeasurementFieldSeparator')),
    ...given('skip_measurement', flags.bool('influxSkipMeasurement')),
    ...given('skip_single_field', flags.bool('influxSkipSingleField')),
    ...given('db_label', flags.text('influxDBLabel')),
    ...given('trim_timestamp_ms', trim),
  };
  // Which databases a query for them names; whether a bad line refuses the request, which in Penstock it never does.
  flags.ignore('influx.databaseNames', 'influx.forceStreamMode');
  const precision = ingest.options.query?.['precision']?.[0] ?? '';
  const receiptMs = receiptCutTo(Math.max(UNITS[precision] ?? 1, trim ?? 1));
  const maxBytes = flags.bytes('influx.maxRequestSize');
  return runIngestText(ingest, flags, { encoding: 'influx', decode: { influx }, receiptMs, maxBytes });
}

function given<K extends keyof InfluxOptions>(key: K, value: InfluxOptions[K] | undefined) {
  return value === undefined ? {} : { [key]: value };
}
