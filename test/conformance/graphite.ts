import { goDurationMs, type IngestTextCase, receiptCutTo, runIngestText } from './ingest-text.ts';

/** Runs one case of ingest-graphite.json. */
export function runGraphiteCase(testCase: unknown): string | undefined {
  const ingest = testCase as IngestTextCase;
  const flags = ingest.options.flags ?? {};
  const trim = goDurationMs(flags['graphiteTrimTimestamp']) ?? 1000;
  const graphite = {
    sanitize_metric_name: flags['graphite.sanitizeMetricName'] === 'true',
    trim_timestamp_ms: trim,
  };
  return runIngestText(ingest, { encoding: 'graphite', decode: { graphite }, receiptMs: receiptCutTo(trim) });
}
