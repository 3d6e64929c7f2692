import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { pino } from 'pino';
import { KafkaAdmin } from '../../../src/kafka/admin.ts';
import { KafkaConnection } from '../../../src/kafka/client.ts';
import { kafkaOptions } from '../../../src/kafka/options.ts';
import { BatchLimit } from '../../../src/kafka/send-rounds.ts';
import { TransactionalProducer } from '../../../src/kafka/transactional-producer.ts';

const ONCE = { retries: 0 };

/** Something that listens and hangs up. */
async function hangsUp(onConnection: () => void) {
  const server = createServer((socket) => {
    onConnection();
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('as many instances as there are brokers ask each of them first', async () => {
  const asked: number[] = [];
  await using first = await hangsUp(() => asked.push(0));
  await using second = await hangsUp(() => asked.push(1));
  await using third = await hangsUp(() => asked.push(2));
  const brokers = [first, second, third].map(({ address }) => address);
  const connection = new KafkaConnection(kafkaOptions.parse({ brokers }), pino({ level: 'silent' }));
  for (const _ of brokers) await assert.rejects(connection.instance(ONCE).admin().connect());
  assert.deepEqual(asked.toSorted(), [0, 1, 2]);
});

/** How long answers are waited for by what is opened on a connection, in ms. */
async function patience(open: (connection: KafkaConnection) => Promise<unknown>): Promise<number> {
  let asked: number | undefined;
  const instance = (_: unknown, requestTimeoutMs: number) => {
    asked = requestTimeoutMs;
    throw new Error('no more is asked');
  };
  const connection = { instance } as Partial<KafkaConnection> as KafkaConnection;
  await assert.rejects(open(connection), /no more is asked/);
  return asked!;
}

test('a transaction outlives several brokers that do not answer', async () => {
  const options = { transactionalId: 'id', timeoutMs: 30_000, limit: new BatchLimit() };
  assert.equal(await patience((connection) => TransactionalProducer.open(connection, options)), 7_500);
});

test('the admin client waits some seconds, and longer than a broker takes to create topics', async () => {
  assert.equal(await patience((connection) => new KafkaAdmin(connection).client()), 10_000);
});
