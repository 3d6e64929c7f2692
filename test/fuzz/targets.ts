import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Decoder } from '../../src/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../src/decode/registry.ts';
import { readFraming } from '../../src/wire/write-request.ts';
import { vectorBodies as binaryBodies, jsonBodies, otlpJsonBodies } from './binary-seeds.ts';
import { confluentTarget, mappedJsonBodies } from './confluent-target.ts';
import { pipelineTargets } from './pipeline-target.ts';

/** A decoder to be fuzzed: how to make one, and valid inputs to begin from. */
export interface FuzzTarget {
  readonly name: string;
  readonly create: () => Decoder;
  readonly seeds: () => readonly Buffer[];
}

const KEPT = fileURLToPath(new URL('../conformance/vectors', import.meta.url));
const SHARED = fileURLToPath(new URL('../../../shared/conformance', import.meta.url));

const BRACE = 0x7b;

/** Format of a vector case ▸ the decoder that reads it. */
const DECODER_OF: Readonly<Record<string, string>> = {
  influx: 'influx',
  prometheus: 'prometheus_text',
  graphite: 'graphite',
  opentsdb: 'opentsdb',
  opentsdbhttp: 'opentsdb_http',
  vmimport: 'vmimport',
};

/**
 * The decoders that are fuzzed. Another one needs an entry here; text decoders take their valid inputs from the
 * conformance vectors, those of the shared folder where it is there.
 */
const SEEDS: Readonly<Record<string, () => readonly Buffer[]>> = {
  ...Object.fromEntries(Object.values(DECODER_OF).map((name) => [name, () => vectorBodies(name)])),
  remote_write_v2: () => binaryBodies('ingest-remote-write-v2.json'),
  otlp: () => binaryBodies('ingest-otlp.json').filter(([first]) => first !== BRACE),
  otlp_json: otlpJsonBodies,
  json: jsonBodies,
  mapped_json: mappedJsonBodies,
};

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...Object.entries(SEEDS).map(([name, seeds]) => ({
    name,
    create: () => createDecoders().find((decoder) => decoder.name === name)!,
    seeds,
  })),
  confluentTarget,
  ...pipelineTargets,
  { name: 'auto', create: auto, seeds: () => Object.values(SEEDS).flatMap((seeds) => seeds()) },
];

/** What detects the encoding, in the form of a decoder. */
function auto(): Decoder {
  const registry = new DecoderRegistry('auto', createDecoders());
  return {
    name: 'auto',
    contentTypes: [],
    defaultContentEncoding: '',
    decode: (body, context) => {
      const { rejects, body: built } = registry.decode(body, context);
      // Remote write 1.0 passes through as it is; its framing is looked at by the pipeline.
      readFraming(built);
      return { body: Buffer.from(built), rejects };
    },
  };
}

interface VectorCase {
  readonly format?: string;
  readonly payload_utf8?: string;
  readonly payload_base64?: string;
  readonly options?: { readonly headers?: Readonly<Record<string, string>> };
}

function vectorBodies(decoder: string): Buffer[] {
  const folder = existsSync(SHARED) ? SHARED : KEPT;
  return readdirSync(folder)
    .filter((file) => /^ingest-.*\.json$/.test(file))
    .flatMap((file) => {
      const { cases } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { cases: VectorCase[] };
      return cases;
    })
    .filter(({ format, options }) => {
      return DECODER_OF[format ?? ''] === decoder && options?.headers?.['Content-Encoding'] === undefined;
    })
    .map(({ payload_utf8: text, payload_base64: base64 }) =>
      text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text),
    );
}
