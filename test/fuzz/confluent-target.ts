import { confluentDecoder } from '../../src/core/decode/schema/confluent.ts';
import { avroWriter, compile, documentedSchema, frame, protobufWriter } from '../support/schemas.ts';

const AVSC = documentedSchema('metric-batch.avsc');
const PROTO = documentedSchema('metric-batch.proto');

/** Schemas of lists whose items may have no bytes at all, so that a record says how many there are and no more. */
const EMPTY_ITEMS = {
  type: 'record',
  name: 'B',
  fields: [
    { name: 'series', type: { type: 'array', items: { type: 'record', name: 'S', fields: [] } } },
    { name: 'more', type: { type: 'array', items: 'null' } },
  ],
};

const SCHEMAS = await Promise.all([
  compile('AVRO', AVSC),
  compile('JSON', documentedSchema('metric-batch.schema.json')),
  compile('PROTOBUF', PROTO),
  compile('AVRO', EMPTY_ITEMS),
  compile('AVRO', { type: 'array', items: { type: 'map', values: 'null' } }),
]);
const writeAvro = await avroWriter(AVSC);
const writeProtobuf = protobufWriter(PROTO, 'io.penstock.MetricBatch', [0]);

const BATCHES = [
  { series: [] },
  { series: [series(0)] },
  { series: [series(0), series(1), series(2)] },
  // The second has no name, and is set aside.
  { series: [series(0), { ...series(1), labels: { pod: 'nameless' } }, series(2)] },
];

function series(at: number) {
  return {
    labels: { __name__: 'http_requests_total', pod: `pod-${at}`, path: '/käse' },
    samples: [
      { timestamp: 1_700_000_000_000 + at, value: 1.5 * at },
      { timestamp: 1_700_000_001_000 + at, value: -1e-7 },
    ],
  };
}

/** Schemas by any id. */
export const confluentSource = {
  schema: (id: number | string) => SCHEMAS[Number(id) % SCHEMAS.length] ?? SCHEMAS[0]!,
};

/** A million items, and the end of the list. */
const MANY = Buffer.from('80897a0000', 'hex');

/** Confluent's framing with the documented schemas: any id is one of a few, so that mutations reach their readers. */
export const confluentTarget = {
  name: 'confluent',
  create: () => confluentDecoder(confluentSource),
  seeds: () => [
    ...BATCHES.flatMap((batch) => [
      frame(0, writeAvro(batch)),
      frame(1, Buffer.from(JSON.stringify(batch))),
      frame(2, writeProtobuf(batch)),
    ]),
    frame(3, MANY),
    frame(4, MANY),
  ],
};

/** Bodies of the decoder `mapped_json`. */
export function mappedJsonBodies(): Buffer[] {
  return BATCHES.flatMap((batch) => [batch, batch.series, (batch.series[0] ?? {}) as object]).map((value) =>
    Buffer.from(JSON.stringify(value)),
  );
}
