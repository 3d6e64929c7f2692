import { PoisonError } from '../model/errors.ts';
import type { DecodeContext, Decoded, Decoder } from './decoder.ts';
import { SeriesMapper } from './mapped-series.ts';
import { type MappingOptions, METRIC_BATCH } from './mapping.ts';
import type { SchemaSource } from './writer-schema.ts';

/** A zero byte and the id of the schema, 4 bytes, big-endian (docs.confluent.io, "Wire format"). */
const FRAME_BYTES = 5;

/** The name of the decoder in the configuration. */
export const CONFLUENT = 'confluent';

/** The schema id of a framed record; undefined where the frame is not there. */
export function schemaIdOf(body: Uint8Array): number | undefined {
  if (body.length < FRAME_BYTES || body[0] !== 0) return undefined;
  return body[1]! * 2 ** 24 + (body[2]! << 16) + (body[3]! << 8) + body[4]!;
}

/** Where no registry is configured. */
export const NO_REGISTRY: SchemaSource = {
  schema(id) {
    throw new PoisonError(
      'decode',
      'no_registry',
      `the record names schema ${id} of a schema registry, and none is configured; expected its address in registry.url`,
    );
  },
};

/**
 * Records framed by Confluent's serializers, in Avro, JSON Schema or Protobuf: what the schema id in front of them says.
 * The mapping says where the series are; without one records have the shape of `schemas/metric-batch.*`.
 */
export function confluentDecoder(
  schemas: SchemaSource = NO_REGISTRY,
  mapping: MappingOptions = METRIC_BATCH,
): Decoder {
  const mapper = new SeriesMapper(mapping);
  return {
    name: CONFLUENT,
    contentTypes: [
      'application/vnd.confluent',
      'application/vnd.confluent+avro',
      'application/vnd.confluent+json',
      'application/vnd.confluent+protobuf',
    ],
    defaultContentEncoding: 'identity',
    decode(body: Buffer, context: DecodeContext): Decoded {
      const id = schemaIdOf(body);
      if (id === undefined) {
        throw new PoisonError(
          'decode',
          'confluent_frame',
          `the record does not begin with a zero byte and the 4 bytes of a schema id, but with ${hex(body)}`,
        );
      }
      const value = schemas.schema(id).read(body, FRAME_BYTES, { budget: context.budget });
      return mapper.map(value, body.length, context);
    },
  };
}

function hex(body: Buffer): string {
  return body.length === 0 ? 'nothing' : body.toString('hex', 0, FRAME_BYTES);
}
