import { type IngestTextCase, runIngestText } from './ingest-text.ts';

/** Runs one case of ingest-prometheus-text.json. */
export function runPrometheusTextCase(testCase: unknown): string | undefined {
  return runIngestText(testCase as IngestTextCase, { encoding: 'prometheus_text' });
}
