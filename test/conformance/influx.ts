import type { InfluxOptions } from '../../src/decode/decode-options.ts';
import { goDurationMs, type IngestTextCase, receiptCutTo, runIngestText } from './ingest-text.ts';

/** What the arguments of the vectors cut the time of receipt to, in ms. */
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Runs one case of ingest-influx.json. */
export function runInfluxCase(testCase: unknown): string | undefined {
  const ingest = testCase as IngestTextCase;
  const flags = ingest.options.flags ?? {};
  const separator = flags['influxMeasurementFieldSeparator'];
  const trim = goDurationMs(flags['influxTrimTimestamp']);
  const influx: Partial<InfluxOptions> = {
    ...(separator !== undefined && { measurement_field_separator: separator }),
    ...(trim !== undefined && { trim_timestamp_ms: trim }),
    skip_measurement: flags['influxSkipMeasurement'] === 'true',
    skip_single_field: flags['influxSkipSingleField'] === 'true',
  };
  const precision = ingest.options.query?.['precision']?.[0] ?? '';
  const receiptMs = receiptCutTo(Math.max(UNITS[precision] ?? 1, trim ?? 1));
  return runIngestText(ingest, { encoding: 'influx', decode: { influx }, receiptMs });
}
