import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { compressSync } from 'snappy';
import { kafkajs } from '../../src/io/kafka/patch/load.ts';
import { isAlive } from '../lab/cache.ts';
import { uniqueName } from '../lab/names.ts';
import { poll } from '../lab/process.ts';
import { type KafkaCluster, startKafka } from '../lab/servers/kafka.ts';
import { startVictoriaMetrics, startVmagent } from '../lab/servers/victoriametrics.ts';
import { closing } from '../support/closing.ts';

/** Tries again for longer than the cluster takes to see that a broker is gone: kafkajs gives up after some 10 s. */
function client(cluster: KafkaCluster) {
  return new kafkajs.Kafka({
    brokers: cluster.brokers,
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 10 },
  });
}

async function createTopic(cluster: KafkaCluster, replicationFactor: number): Promise<string> {
  const topic = uniqueName('servers');
  const admin = client(cluster).admin();
  await admin.connect();
  await admin.createTopics({
    topics: [{ topic, numPartitions: 1, replicationFactor }],
    waitForLeaders: true,
  });
  await admin.disconnect();
  return topic;
}

async function produce(cluster: KafkaCluster, topic: string, values: string[]): Promise<void> {
  const producer = client(cluster).producer();
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) });
  await producer.disconnect();
}

/** The first `count` values of the topic. */
async function consume(cluster: KafkaCluster, topic: string, count: number): Promise<string[]> {
  const values: string[] = [];
  const consumer = client(cluster).consumer({ groupId: uniqueName('servers') });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void values.push(String(message.value)) });
  await poll(
    () => values.length >= count,
    {},
    () => new Error(`consumed ${values.length} of ${count} records of ${topic}`),
  );
  await consumer.disconnect();
  return values;
}

/** A remote write 1.0 request with one sample. */
function writeRequest(labels: Record<string, string>, value: number, timestamp: number): Uint8Array {
  const series = protobuf.Writer.create().uint32(10).fork();
  for (const [name, text] of Object.entries(labels)) {
    series.uint32(10).fork().uint32(10).string(name).uint32(18).string(text).ldelim();
  }
  return series
    .uint32(18)
    .fork()
    .uint32(9)
    .double(value)
    .uint32(16)
    .int64(timestamp)
    .ldelim()
    .ldelim()
    .finish();
}

test('a broker keeps its acknowledged records over SIGKILL and a clean stop', async () => {
  await using cluster = closing(await startKafka({ own: true }));
  const topic = await createTopic(cluster, 1);
  await produce(cluster, topic, ['before the kill']);
  const first = cluster.node(0).pid;
  await cluster.node(0).kill();
  assert.equal(isAlive(first), false);
  await cluster.node(0).start();
  assert.notEqual(cluster.node(0).pid, first);
  await produce(cluster, topic, ['after the kill']);
  await cluster.node(0).stop();
  await cluster.node(0).start();
  await produce(cluster, topic, ['after the stop']);
  assert.deepEqual(await consume(cluster, topic, 3), ['before the kill', 'after the kill', 'after the stop']);
});

test('of three brokers, the others take over from one that is killed', async () => {
  await using cluster = closing(await startKafka({ brokers: 3 }));
  const topic = await createTopic(cluster, 3);
  await produce(cluster, topic, ['with three']);
  await cluster.node(1).kill();
  await produce(cluster, topic, ['with two']);
  await cluster.node(1).start();
  assert.deepEqual(await consume(cluster, topic, 2), ['with three', 'with two']);
});

test('closing a cluster ends its broker', async () => {
  const cluster = await startKafka({ own: true });
  const { pid } = cluster.node(0);
  assert.equal(isAlive(pid), true);
  await cluster.close();
  assert.equal(isAlive(pid), false);
});

test('what a vmagent is sent arrives in VictoriaMetrics with its value, timestamp and the added label', async () => {
  await using storage = closing(await startVictoriaMetrics());
  await using vmagent = closing(
    await startVmagent({ remoteWriteUrl: storage.remoteWriteUrl, labels: { vmagent: 'one' } }),
  );
  const name = uniqueName('stock').replace('-', '_');
  const longAgo = Date.UTC(2020, 1, 29, 12, 0, 0, 123);
  const send = async (value: number, timestamp: number) => {
    const body = compressSync(writeRequest({ __name__: name, shop: 'a' }, value, timestamp));
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
    const response = await fetch(`${vmagent.url}/api/v1/write`, { method: 'POST', body, headers });
    assert.equal(response.status, 204);
  };
  await send(1.5, longAgo);
  await vmagent.stop();
  await vmagent.start();
  await send(-2, longAgo + 1);
  const stored = async () => {
    await storage.flush();
    return storage.exportSeries(`{__name__="${name}"}`);
  };
  await poll(
    async () => (await stored())[0]?.values.length === 2,
    {},
    () => new Error('the two samples did not reach VictoriaMetrics'),
  );
  assert.deepEqual(await stored(), [
    {
      metric: { __name__: name, shop: 'a', vmagent: 'one' },
      values: [1.5, -2],
      timestamps: [longAgo, longAgo + 1],
    },
  ]);
});
