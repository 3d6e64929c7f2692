import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Deployment } from '../lab/deployment/deployment.ts';
import { headerOf } from '../lab/deployment/read-topic.ts';
import { metricOf, type Running } from '../lab/deployment/running.ts';
import { poll } from '../lab/process.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { startRegistry } from '../lab/servers/registry.ts';
import { samplesOf } from '../lab/truth/task-samples.ts';
import { closeAfterTests } from '../support/closing.ts';
import { avroWriter, documentedSchema, frame, protobufWriter } from '../support/schemas.ts';

const START = 1_760_000_000_000;
const ROUTES = [{ name: 'all', task: { labels: ['job'], count: 4 } }];

const [kafka, registry] = await Promise.all([startKafka(), startRegistry()]);
closeAfterTests(registry, kafka);

const AVSC = documentedSchema('metric-batch.avsc');
const JSON_SCHEMA = documentedSchema('metric-batch.schema.json');
const PROTO = documentedSchema('metric-batch.proto');

/** One sample of a series of its own in the shape of MetricBatch. */
const batch = (job: string, value: number, more: object = {}) => ({
  series: [{ labels: { __name__: 'm', job }, samples: [{ timestamp: START + value, value }], ...more }],
});

/** A JSON schema that nobody else has registered. */
const anyObject = (title: string) =>
  JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', title, type: 'object' });

/** Value of each sample by `job`, all of the task topic; fails where one is there twice. */
async function valuesByJob(penstock: Deployment): Promise<Record<string, number[]>> {
  const found = samplesOf(await penstock.read(penstock.topic('all')));
  assert.equal(found.repeated, 0, 'samples twice in the task topic');
  const values: Record<string, number[]> = {};
  for (const [key, value] of found.samples) {
    const job = /job[^a-z]+([a-z0-9_]+)/.exec(key)?.[1] ?? key;
    (values[job] ??= []).push(value);
  }
  return values;
}

describe('records of a registry', () => {
  let penstock: Deployment;

  before(async () => {
    penstock = await Deployment.create({
      brokers: kafka.brokers,
      routes: ROUTES,
      registry: { url: registry.url, timeout: '2s' },
    });
    await penstock.start(['worker']);
  });

  after(() => penstock?.close());

  test('in the documented schemas, in several versions, and with message indexes arrive', async () => {
    const withUnit = JSON.parse(AVSC);
    withUnit.fields[0].type.items.fields.push({ name: 'unit', type: 'string', default: '' });
    withUnit.fields.push({ name: 'sender', type: ['null', 'string'], default: null });
    // The third message of the file, and within it the second.
    const nested = `syntax = "proto3"; package shop; message Ping {} message Pong {}
      message Envelope { message Head {} message Batch { repeated Item series = 1; }
        message Item { map<string, string> labels = 1; repeated Point samples = 2; }
        message Point { int64 timestamp = 1; double value = 2; } }`;
    const ids = {
      avro: await registry.register('avro', 'AVRO', AVSC),
      avro2: await registry.register('avro', 'AVRO', JSON.stringify(withUnit)),
      json: await registry.register('json', 'JSON', JSON_SCHEMA),
      proto: await registry.register('proto', 'PROTOBUF', PROTO),
      nested: await registry.register('nested', 'PROTOBUF', nested),
    };
    const avro = await avroWriter(AVSC);
    const avro2 = await avroWriter(withUnit);
    const proto = protobufWriter(PROTO, 'io.penstock.MetricBatch', [0]);
    const inner = protobufWriter(nested, 'shop.Envelope.Batch', [2, 1]);
    for (let round = 0; round < 5; round++) {
      await penstock.produce([
        frame(ids.avro, avro(batch('avro', round))),
        frame(ids.avro2, avro2({ ...batch('avro2', round, { unit: 's' }), sender: 'x' })),
        frame(ids.json, Buffer.from(JSON.stringify(batch('json', round)))),
        frame(ids.proto, proto(batch('proto', round))),
        frame(ids.nested, inner(batch('nested', round))),
      ]);
    }
    await penstock.workersDone();
    const rounds = [0, 1, 2, 3, 4];
    const expected = { avro: rounds, avro2: rounds, json: rounds, proto: rounds, nested: rounds };
    assert.deepEqual(await valuesByJob(penstock), expected);
    assert.deepEqual(await penstock.read(penstock.dead), []);
  });

  test('that name no schema, or are not of theirs, are dead letters with the reason', async () => {
    const json = await registry.register('json', 'JSON', JSON_SCHEMA);
    const avro = await registry.register('avro-dead', 'AVRO', AVSC);
    const poison: [string, Buffer][] = [
      ['schema_id', frame(987_654, Buffer.from('x'))],
      ['avro', frame(avro, Buffer.from([0x7f]))],
      ['json', frame(json, Buffer.from('{'))],
      ['mapping', frame(json, Buffer.from('{"series":[{"labels":{"__name__":"m"}}]}'))],
    ];
    await penstock.produce(poison.map(([, body]) => body));
    await penstock.workersDone();
    const dead = await penstock.read(penstock.dead);
    assert.deepEqual(
      dead.map((letter) => headerOf(letter, 'penstock-reason')),
      poison.map(([reason]) => reason),
    );
    assert.match(headerOf(dead[0], 'penstock-error'), /no schema with the id 987654/);
    assert.deepEqual(dead[0]?.value, poison[0]![1], 'the record as received');
  });
});

test("other people's fields arrive by a mapping", async () => {
  const penstock = await Deployment.create({
    brokers: kafka.brokers,
    routes: ROUTES,
    registry: { url: registry.url },
    worker: {
      encoding: 'confluent',
      mapping: {
        series: '',
        samples: '',
        name: 'metric',
        labels: 'tags',
        label_name: 'key',
        value: 'reading',
        timestamp: 'at',
        timestamp_unit: 'ns',
        constant_labels: ['source=shop'],
      },
    },
  });
  try {
    const schema = {
      type: 'record',
      name: 'Reading',
      namespace: 'shop',
      fields: [
        { name: 'metric', type: 'string' },
        {
          name: 'tags',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'Tag',
              fields: [
                { name: 'key', type: 'string' },
                { name: 'value', type: 'string' },
              ],
            },
          },
        },
        { name: 'reading', type: ['null', 'double'] },
        { name: 'at', type: 'long' },
      ],
    };
    const proto = `syntax = "proto3"; package shop; import "google/protobuf/timestamp.proto";
      message Reading { string metric = 1; map<string, string> tags = 2; double reading = 3;
        google.protobuf.Timestamp at = 4; }`;
    const avroId = await registry.register('reading', 'AVRO', JSON.stringify(schema));
    const jsonId = await registry.register('reading-json', 'JSON', anyObject('reading'));
    const protoId = await registry.register('reading-proto', 'PROTOBUF', proto);
    // Written by hand, since the library writes no long beyond 2^53.
    const text = (value: string) => Buffer.concat([Buffer.from([value.length * 2]), Buffer.from(value)]);
    const reading = Buffer.alloc(8);
    reading.writeDoubleLE(1);
    const tags = Buffer.concat([Buffer.from([2]), text('job'), text('avro'), Buffer.from([0])]);
    const at = zigzag(BigInt(START) * 1_000_000n);
    const avro = Buffer.concat([text('m'), tags, Buffer.from([2]), reading, at]);
    const absent = Buffer.concat([text('m'), tags, Buffer.from([0]), at]);
    const json = { metric: 'm', tags: { job: 'json' }, reading: 2, at: `${START}000000` };
    // Google's type by another name: its fields are the same.
    const plainProto = proto
      .replace(/import [^;]*;/, 'message Stamp { int64 seconds = 1; int32 nanos = 2; }')
      .replace('google.protobuf.Timestamp', 'Stamp')
      .replace(/(message Stamp [^}]*\})(.*)/s, '$2 $1');
    const write = protobufWriter(plainProto, 'shop.Reading', [0]);
    const stamp = { seconds: START / 1000, nanos: 0 };
    await penstock.produce([
      frame(avroId, avro),
      frame(avroId, absent),
      frame(jsonId, Buffer.from(JSON.stringify(json))),
      frame(protoId, write({ metric: 'm', tags: { job: 'proto' }, reading: 3, at: stamp })),
    ]);
    await penstock.start(['worker']);
    await penstock.workersDone();
    const found = samplesOf(await penstock.read(penstock.topic('all'))).samples;
    assert.deepEqual([...found.values()].sort(), [1, 2, 3]);
    for (const key of found.keys()) {
      assert.match(key, /shop/);
      assert.ok(key.endsWith(`@${START}`), key);
    }
    const dead = await penstock.read(penstock.dead);
    assert.deepEqual(
      dead.map((letter) => headerOf(letter, 'penstock-reason')),
      ['mapping'],
    );
    assert.match(headerOf(dead[0], 'penstock-error'), /reading is no number, but null/);
  } finally {
    await penstock.close();
  }
});

describe('a registry in trouble', () => {
  for (const [what, trouble, mend] of [
    ['hangs', async () => registry.pause(), async () => registry.resume()],
    ['is away', async () => registry.kill(), async () => registry.start()],
  ] as const) {
    test(`that ${what} holds up the partitions that need it, and nothing is lost or repeated`, async () => {
      const subject = `trouble-${what.replace(' ', '-')}`;
      const known = await registry.register(`${subject}-known`, 'JSON', JSON_SCHEMA);
      const fresh = await registry.register(subject, 'JSON', anyObject(subject));
      const penstock = await Deployment.create({
        brokers: kafka.brokers,
        rawPartitions: 2,
        routes: ROUTES,
        registry: { url: registry.url, timeout: '1s' },
      });
      try {
        const worker = await penstock.start(['worker']);
        const body = (id: number, job: string, value: number) =>
          frame(id, Buffer.from(JSON.stringify(batch(job, value))));
        await penstock.produce([body(known, 'held', 0)], 0);
        await penstock.produce([body(known, 'free', 0)], 1);
        await penstock.workersDone();
        await trouble();
        // Partition 0 meets a schema that it has never seen; what comes after it waits too, to keep the order.
        await penstock.produce([body(known, 'held', 1), body(fresh, 'held', 2), body(known, 'held', 3)], 0);
        await worker.process.waitForLog(/a schema cannot be fetched; the partition waits for the registry/);
        await penstock.produce([body(known, 'free', 1), body(known, 'free', 2)], 1);
        await penstock.noLag(penstock.group, penstock.raw, (partition) => partition === 1);
        assert.deepEqual((await valuesByJob(penstock))['free'], [0, 1, 2]);
        await waits(worker, 1);
        assert.equal(worker.process.exit, undefined, 'the worker runs on');
        await mend();
        await penstock.workersDone();
        assert.deepEqual(await valuesByJob(penstock), { held: [0, 1, 2, 3], free: [0, 1, 2] });
        assert.deepEqual(await penstock.read(penstock.dead), []);
        await waits(worker, 0);
        assert.equal((await worker.process.stop()).code, 0);
      } finally {
        await mend().catch(() => undefined); // it is well already, unless something failed before
        await penstock.close();
      }
    });
  }

  test('does not keep a worker from stopping, and the next one goes on', async () => {
    const id = await registry.register('stop', 'JSON', anyObject('stop'));
    const penstock = await Deployment.create({
      brokers: kafka.brokers,
      routes: ROUTES,
      registry: { url: registry.url, timeout: '1s' },
    });
    try {
      const worker = await penstock.start(['worker']);
      registry.pause();
      await penstock.produce([frame(id, Buffer.from(JSON.stringify(batch('stop', 1))))]);
      await worker.process.waitForLog(/the partition waits for the registry/);
      assert.equal((await worker.process.stop()).code, 0);
      registry.resume();
      await penstock.start(['worker']);
      await penstock.workersDone();
      assert.deepEqual(await valuesByJob(penstock), { stop: [1] });
    } finally {
      registry.resume();
      await penstock.close();
    }
  });
});

/** Waits until the worker says that so many partitions wait for schemas. */
async function waits(worker: Running, count: number): Promise<void> {
  let last: number | undefined;
  await poll(
    async () => (last = await metricOf(worker, 'penstock_schema_waiting_partitions')) === count,
    {},
    () => new Error(`${last} waiting partitions, expected ${count}`),
  );
}

function zigzag(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value * 2n;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
