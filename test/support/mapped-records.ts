/** Records that `worker.mapping` reads: framed by Confluent's serializers, with a real registry, and plain JSON. */
import { zstdCompressSync } from 'node:zlib';
import type { SchemaRegistryServer } from '../lab/servers/registry.ts';
import { cutOff, type Fault, type Point, type Producer, whole } from './encoded-records.ts';
import { avroWriter, documentedSchema, frame, protobufWriter } from './schemas.ts';

/** Producers of records with schemas; some records name a schema before it is registered. */
export interface MappedProducers {
  readonly producers: readonly Producer[];
  /** Registers the missing schema. Throws if it gets another id than those records name. */
  registerMissing(): Promise<void>;
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly { readonly timestamp: number; readonly value: unknown }[];
}

/** The points in the shape of MetricBatch; `change` is made to the last of its series. */
function batch(points: readonly Point[], change: (series: Series, point: Point) => object = (same) => same) {
  const series = points.map((point, at) => {
    const { metric, labels, value, time } = point;
    const one = { labels: { __name__: metric, ...labels }, samples: [{ timestamp: time, value }] };
    return at === points.length - 1 ? change(one, point) : one;
  });
  return { series };
}

/** The name is in a field that is not read, unless `mapping.name` is `metric`. */
const nameElsewhere = ({ samples }: Series, { metric, labels }: Point) => ({ metric, labels, samples });
const noNumber = ({ labels, samples }: Series) => ({
  labels,
  samples: samples.map(({ timestamp }) => ({ timestamp, value: 'seventeen' })),
});

/** Serializes points with some schema. */
type Write = (value: object) => Buffer;

export async function mappedProducers(registry: SchemaRegistryServer): Promise<MappedProducers> {
  const avsc = documentedSchema('metric-batch.avsc');
  const jsonSchema = documentedSchema('metric-batch.schema.json');
  const proto = documentedSchema('metric-batch.proto');
  // Two modified versions of it: their additional fields are not read, unless the mapping names one.
  const named = withField(avsc, { name: 'metric', type: 'string', default: '' });
  const unknown = withField(avsc, { name: 'unit', type: 'string', default: '' });

  const avroId = await registry.register('records-avro', 'AVRO', avsc);
  const jsonId = await registry.register('records-json', 'JSON', jsonSchema);
  const protobufId = await registry.register('records-protobuf', 'PROTOBUF', proto);
  const namedId = await registry.register('records-named', 'AVRO', named);
  const unknownId = namedId + 1;

  const avro = framed('avro', avroId, await avroWriter(avsc));
  const json = framed('json', jsonId, (value) => Buffer.from(JSON.stringify(value)));
  const protobuf = framed('protobuf', protobufId, protobufWriter(proto, 'io.penstock.MetricBatch', [0]));
  const noSuchMessage = protobufWriter(proto, 'io.penstock.MetricBatch', [7]);
  const inNamed = framed('avro', namedId, await avroWriter(named));
  const inUnknown = framed('avro', unknownId, await avroWriter(unknown));

  const fault = (reason: string, write: Producer['write'], kind: Partial<Fault> = {}): Fault => {
    return { write, reason, part: false, isMended: false, ...kind };
  };
  const ofBatch = (write: (value: object) => ReturnType<Producer['write']>) => (points: readonly Point[]) =>
    write(batch(points));
  const producers: Producer[] = [
    {
      name: 'confluent avro',
      write: ofBatch(avro),
      faults: [
        fault('schema_id', ofBatch(inUnknown), { isMended: true }),
        fault('mapping', (points) => inNamed(batch(points, nameElsewhere)), { part: true, isMended: true }),
        cutOff(ofBatch(avro), 'avro'),
      ],
    },
    whole('confluent avro in zstd', 'zstd', (points) => {
      const { body, headers } = avro(batch(points));
      return { body: zstdCompressSync(body), headers: { ...headers, 'content-encoding': 'zstd' } };
    }),
    {
      name: 'confluent json schema',
      write: ofBatch(json),
      faults: [
        fault('mapping', (points) => json(batch(points, noNumber)), { part: true }),
        cutOff(ofBatch(json), 'json'),
      ],
    },
    {
      name: 'confluent protobuf',
      write: ofBatch(protobuf),
      faults: [
        cutOff(ofBatch(protobuf), 'protobuf'),
        fault('protobuf_index', ofBatch(framed('protobuf', protobufId, noSuchMessage))),
        fault('confluent_frame', (points) => {
          const { body, headers } = protobuf(batch(points));
          return { body: Buffer.concat([Buffer.of(1), body.subarray(1)]), headers };
        }),
      ],
    },
    {
      name: 'mapped_json',
      write: ofBatch(mappedJson),
      faults: [
        fault('mapping', (points) => mappedJson(batch(points, nameElsewhere)), {
          part: true,
          isMended: true,
        }),
        cutOff(ofBatch(mappedJson), 'json'),
      ],
    },
  ];
  return {
    producers,
    registerMissing: async () => {
      const id = await registry.register('records-unknown', 'AVRO', unknown);
      if (id !== unknownId) throw new Error(`the schema was to get the id ${unknownId}, and has ${id}`);
    },
  };
}

/** MetricBatch in Avro, with one more field in a series. */
function withField(avsc: string, field: object): string {
  const schema = JSON.parse(avsc);
  schema.fields[0].type.items.fields.push(field);
  return JSON.stringify(schema);
}

function framed(kind: string, id: number, write: Write) {
  return (value: object): ReturnType<Producer['write']> => ({
    body: frame(id, write(value)),
    headers: { 'content-type': `application/vnd.confluent+${kind}` },
  });
}

function mappedJson(value: object): ReturnType<Producer['write']> {
  return {
    body: Buffer.from(JSON.stringify(value)),
    headers: { 'content-type': 'application/vnd.penstock.mapped+json' },
  };
}
