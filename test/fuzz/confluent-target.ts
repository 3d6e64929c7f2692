import { confluentDecoder } from '../../src/decode/confluent.ts';
import { avroWriter, compile, documentedSchema, frame, protobufWriter } from '../support/schemas.ts';

const AVSC = documentedSchema('metric-batch.avsc');
const PROTO = documentedSchema('metric-batch.proto');

const SCHEMAS = await Promise.all([
  compile('AVRO', AVSC),
  compile('JSON', documentedSchema('metric-batch.schema.json')),
  compile('PROTOBUF', PROTO),
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

/** Confluent's framing with the documented schemas: any id is one of the three, so that mutations reach their readers. */
export const confluentTarget = {
  name: 'confluent',
  create: () => confluentDecoder({ schema: (id) => SCHEMAS[Number(id) % 3]! }),
  seeds: () =>
    BATCHES.flatMap((batch) => [
      frame(0, writeAvro(batch)),
      frame(1, Buffer.from(JSON.stringify(batch))),
      frame(2, writeProtobuf(batch)),
    ]),
};

/** Bodies of the decoder `mapped_json`. */
export function mappedJsonBodies(): Buffer[] {
  return BATCHES.flatMap((batch) => [batch, batch.series, (batch.series[0] ?? {}) as object]).map((value) =>
    Buffer.from(JSON.stringify(value)),
  );
}
