import { Flags } from './flags.ts';
import { type IngestTextCase, runIngestText } from './ingest-text.ts';

/** Runs one case of ingest-prometheus-text.json. */
export function runPrometheusTextCase(testCase: unknown): string | undefined {
  const ingest = testCase as IngestTextCase;
  return runIngestText(ingest, new Flags(ingest.options.flags), { encoding: 'prometheus_text' });
}
