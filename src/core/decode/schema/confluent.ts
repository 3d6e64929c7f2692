import { PoisonError } from '../../model/errors.ts';
import type { RecordHeaders } from '../../record/headers.ts';
import type { DecodeContext, Decoded, Decoder } from '../decoder.ts';
import { SeriesMapper } from './mapped-series.ts';
import { type MappingOptions, METRIC_BATCH } from './mapping.ts';
import type { SchemaId, SchemaSource } from './writer-schema.ts';

/** A zero byte and the id of the schema, 4 bytes, big-endian (docs.confluent.io, "Wire format"). */
const FRAME_BYTES = 5;

/** The name of the decoder in the configuration. */
export const CONFLUENT = 'confluent';

/** Header in which Confluent's serializers put the id if configured so: version 1 and a GUID, or a frame. */
const ID_HEADER = '__value_schema_id';
const GUID_END = 17;

/** How a record names its schema, and where its value begins. */
export interface ConfluentFrame {
  readonly id: SchemaId;
  readonly start: number;
  /** Message indexes of Protobuf, if they are in the header too. */
  readonly indexes?: Buffer;
}

/** The framing of a record; undefined if it names no schema. The header takes precedence over the frame. */
export function framingOf(body: Uint8Array, headers: RecordHeaders): ConfluentFrame | undefined {
  const header = headers[ID_HEADER];
  if (Buffer.isBuffer(header)) {
    if (header[0] === 1 && header.length >= GUID_END) {
      const guid = header.toString('hex', 1, GUID_END).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
      return { id: guid, start: 0, indexes: header.subarray(GUID_END) };
    }
    const id = schemaIdOf(header);
    if (id !== undefined) return { id, start: 0, indexes: header.subarray(FRAME_BYTES) };
  }
  const id = schemaIdOf(body);
  return id === undefined ? undefined : { id, start: FRAME_BYTES };
}

/** Whether a header names the schema. */
export function hasSchemaHeader(headers: RecordHeaders): boolean {
  return Buffer.isBuffer(headers[ID_HEADER]);
}

/** The schema id of a framed record; undefined without a frame. */
export function schemaIdOf(body: Uint8Array): number | undefined {
  if (body.length < FRAME_BYTES || body[0] !== 0) return undefined;
  return body[1]! * 2 ** 24 + (body[2]! << 16) + (body[3]! << 8) + body[4]!;
}

/** Schemas if no registry is configured: none. */
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
 * Records framed by Confluent's serializers, in Avro, JSON Schema or Protobuf, whichever their schema is. The mapping
 * says where the series are; without one, records have the shape of `schemas/metric-batch.*`.
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
      const framing = framingOf(body, context.headers);
      if (framing === undefined) throw unframed(body);
      const { id, start, indexes } = framing;
      const schema = schemas.schema(id);
      const { budget } = context;
      let hasOddNumbers = false;
      const onOddNumbers = () => {
        hasOddNumbers = true;
      };
      const read = (isVerbatim: boolean) => {
        const value = schema.read(body, start, { budget, indexes, isVerbatim, onOddNumbers });
        return { value, hasOddNumbers };
      };
      return mapper.mapJson(read, (value) => mapper.map(value, body.length, context));
    },
  };
}

function unframed(body: Buffer): PoisonError {
  const isGlue = body[0] === 3 && body.length >= 18 && (body[1] === 0 || body[1] === 5);
  const what = isGlue
    ? 'is framed for the registry of AWS Glue (3, compression, a UUID), which Penstock cannot ask; expected'
    : `does not begin with a zero byte and the 4 bytes of a schema id, but with ${hex(body)}; expected that, or`;
  const message = `the record ${what} the frame of Confluent's serializers, or their header ${ID_HEADER}`;
  return new PoisonError('decode', 'confluent_frame', message);
}

function hex(body: Buffer): string {
  return body.length === 0 ? 'nothing' : body.toString('hex', 0, FRAME_BYTES);
}
