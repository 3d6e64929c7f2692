/** Bodies of the conformance vectors: from the shared folder if it exists, else from this repository. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lab/cache.ts';

export const KEPT_VECTORS = path.join(ROOT, 'test/conformance/vectors');
/** Beside the checkout; may be missing. */
export const SHARED_VECTORS = path.join(ROOT, '../shared/conformance');

const FOLDER = existsSync(SHARED_VECTORS) ? SHARED_VECTORS : KEPT_VECTORS;

/** Decoder by format of an ingest case, for text bodies. */
export const TEXT_DECODER_OF: Readonly<Record<string, string>> = {
  influx: 'influx',
  prometheus: 'prometheus_text',
  graphite: 'graphite',
  opentsdb: 'opentsdb',
  opentsdbhttp: 'opentsdb_http',
  vmimport: 'vmimport',
};

export interface IngestCase {
  readonly id: string;
  readonly format: string;
  readonly payload_utf8?: string;
  readonly payload_base64?: string;
  readonly options?: { readonly headers?: Readonly<Record<string, string>> };
  readonly expected: { readonly error?: string; readonly series?: readonly unknown[] };
}

/** The cases of a file, or of all ingest files. */
export function ingestCases(file?: string): IngestCase[] {
  const files =
    file === undefined ? readdirSync(FOLDER).filter((name) => name.startsWith('ingest-')) : [file];
  return files.flatMap(
    (name) => (JSON.parse(readFileSync(path.join(FOLDER, name), 'utf8')) as { cases: IngestCase[] }).cases,
  );
}

/** The body as it was sent, compressed if the headers of the case say so. */
export function bodyOf({ payload_utf8, payload_base64 }: IngestCase): Buffer {
  return payload_utf8 === undefined ? Buffer.from(payload_base64 ?? '', 'base64') : Buffer.from(payload_utf8);
}
