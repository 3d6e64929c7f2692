import type { Decoder } from '../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../src/core/decode/registry.ts';
import { readFraming } from '../../src/core/wire/write-request.ts';
import { bodyOf, ingestCases, TEXT_DECODER_OF } from '../support/vectors.ts';
import { jsonBodies, otlpJsonBodies, vectorBodies } from './binary-seeds.ts';
import { confluentTarget, mappedJsonBodies } from './confluent-target.ts';
import { pipelineTargets } from './pipeline-target.ts';

/** A decoder to be fuzzed: how to make one, and valid inputs to begin from. */
export interface FuzzTarget {
  readonly name: string;
  readonly create: () => Decoder;
  readonly seeds: () => readonly Buffer[];
}

const BRACE = 0x7b;

/**
 * The decoders that are fuzzed. Another one needs an entry here; text decoders take their valid inputs from the
 * conformance vectors.
 */
const SEEDS: Readonly<Record<string, () => readonly Buffer[]>> = {
  ...Object.fromEntries(Object.values(TEXT_DECODER_OF).map((name) => [name, () => textBodies(name)])),
  remote_write_v2: () => vectorBodies('ingest-remote-write-v2.json'),
  otlp: () => vectorBodies('ingest-otlp.json').filter(([first]) => first !== BRACE),
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

function textBodies(decoder: string): Buffer[] {
  return ingestCases()
    .filter(({ format, options }) => {
      return TEXT_DECODER_OF[format] === decoder && options?.headers?.['Content-Encoding'] === undefined;
    })
    .map(bodyOf);
}
