import type { SchemaSource } from '../src/core/decode/schema/writer-schema.ts';
import { seriesLabels } from '../test/lab/generator/generate-series.ts';
import {
  avroWriter,
  compile,
  documentedSchema,
  frame,
  protobufWriter,
  schemaSource,
} from '../test/support/schemas.ts';
import type { EncodedBody } from './text-bodies.ts';

const START_MS = 1_760_000_000_000;
const LABELS = 12;
const SEED = 1;

const ID = { avro: 1, json: 2, protobuf: 3 } as const;

/** The same series as those of the other encodings, in the documented schemas and in JSON without one. */
export async function mappedBodies(series = 2000): Promise<EncodedBody[]> {
  const batch = {
    series: Array.from({ length: series }, (_, number) => ({
      labels: Object.fromEntries(seriesLabels(number, LABELS, SEED)),
      samples: [{ timestamp: START_MS + number, value: number * 1.5 }],
    })),
  };
  const json = Buffer.from(JSON.stringify(batch));
  const avro = await avroWriter(documentedSchema('metric-batch.avsc'));
  const protobuf = protobufWriter(documentedSchema('metric-batch.proto'), 'io.penstock.MetricBatch', [0]);
  const body = (encoding: string, bytes: Buffer): EncodedBody => ({ encoding, body: bytes, samples: series });
  return [
    body('confluent, Avro', frame(ID.avro, avro(batch))),
    body('confluent, JSON Schema', frame(ID.json, json)),
    body('confluent, Protobuf', frame(ID.protobuf, protobuf(batch))),
    body('mapped_json', json),
  ];
}

/** The schemas that those records name. */
export async function documentedSchemas(): Promise<SchemaSource> {
  return schemaSource({
    [ID.avro]: await compile('AVRO', documentedSchema('metric-batch.avsc')),
    [ID.json]: await compile('JSON', documentedSchema('metric-batch.schema.json')),
    [ID.protobuf]: await compile('PROTOBUF', documentedSchema('metric-batch.proto')),
  });
}
