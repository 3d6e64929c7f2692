import { Flags } from './flags.ts';
import { type IngestTextCase, receiptCutTo, runIngestText } from './ingest-text.ts';

/** Runs one case of ingest-graphite.json. */
export function runGraphiteCase(testCase: unknown): string | undefined {
  const ingest = testCase as IngestTextCase;
  const flags = new Flags(ingest.options.flags);
  const trim = flags.durationMs('graphiteTrimTimestamp') ?? 1000;
  const graphite = {
    sanitize_metric_name: flags.bool('graphite.sanitizeMetricName') ?? false,
    trim_timestamp_ms: trim,
  };
  const receiptMs = receiptCutTo(Math.max(1000, trim));
  return runIngestText(ingest, flags, { encoding: 'graphite', decode: { graphite }, receiptMs });
}
