import { goDurationMs, type IngestTextCase, receiptCutTo, runIngestText } from './ingest-text.ts';

/** Runs one case of ingest-opentsdb.json: telnet lines and JSON. */
export function runOpentsdbCase(testCase: unknown): string | undefined {
  const ingest = testCase as IngestTextCase & { readonly format: string };
  const trim = goDurationMs(ingest.options.flags?.['opentsdbTrimTimestamp']) ?? 1000;
  const encoding = ingest.format === 'opentsdbhttp' ? 'opentsdb_http' : 'opentsdb';
  const decode = { opentsdb: { trim_timestamp_ms: trim } };
  return runIngestText(ingest, { encoding, decode, receiptMs: receiptCutTo(trim) });
}
