import { Flags } from './flags.ts';
import { type IngestTextCase, receiptCutTo, runIngestText } from './ingest-text.ts';

/** Runs one case of ingest-opentsdb.json: telnet lines and JSON. */
export function runOpentsdbCase(testCase: unknown): string | undefined {
  const ingest = testCase as IngestTextCase & { readonly format: string };
  const flags = new Flags(ingest.options.flags);
  return ingest.format === 'opentsdbhttp' ? runJson(ingest, flags) : runLines(ingest, flags);
}

function runLines(ingest: IngestTextCase, flags: Flags): string | undefined {
  const trim = flags.durationMs('opentsdbTrimTimestamp') ?? 1000;
  const decode = { opentsdb: { trim_timestamp_ms: trim } };
  const receiptMs = receiptCutTo(Math.max(1000, trim));
  return runIngestText(ingest, flags, { encoding: 'opentsdb', decode, receiptMs });
}

function runJson(ingest: IngestTextCase, flags: Flags): string | undefined {
  // vmagent's flag has the name in lower case; its documentation writes HTTP.
  const trim =
    flags.durationMs('opentsdbHTTPTrimTimestamp') ?? flags.durationMs('opentsdbhttpTrimTimestamp') ?? 1;
  const decode = { opentsdb_http: { trim_timestamp_ms: trim } };
  const receiptMs = receiptCutTo(Math.max(1000, trim));
  const maxBytes = flags.bytes('opentsdbhttp.maxInsertRequestSize');
  return runIngestText(ingest, flags, { encoding: 'opentsdb_http', decode, receiptMs, maxBytes });
}
