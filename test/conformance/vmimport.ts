import { type IngestTextCase, runIngestText } from './ingest-text.ts';

/** Runs one case of ingest-vmimport.json. */
export function runVmimportCase(testCase: unknown): string | undefined {
  return runIngestText(testCase as IngestTextCase, { encoding: 'vmimport' });
}
