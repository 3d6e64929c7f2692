import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { pino } from 'pino';
import { KafkaAdmin } from '../../../../../src/io/kafka/admin/admin.ts';
import { KafkaConnection } from '../../../../../src/io/kafka/client/connection.ts';
import { kafkaOptions } from '../../../../../src/io/kafka/client/options.ts';
import { BatchLimit } from '../../../../../src/io/kafka/produce/send-rounds.ts';
import { TransactionalProducer } from '../../../../../src/io/kafka/produce/transactional-producer.ts';

const ONCE = { retries: 0 };

async function listen(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function hangsUp(onConnection: () => void) {
  return listen((socket) => {
    onConnection();
    socket.destroy();
  });
}

/** A broker that freezes when it has said what it can do: its system goes on to take connections. */
function freezes(onSilence: () => void) {
  return listen((socket) => {
    socket.on('data', (request) => {
      if (request.readInt16BE(API_KEY_AT) === API.apiVersions) socket.write(versions(request));
      else onSilence();
    });
  });
}

const API = { metadata: 3, offsetFetch: 9, apiVersions: 18, txnOffsetCommit: 28 };
/** Behind its size. The version follows, and the correlation id. */
const API_KEY_AT = 4;
const CORRELATION_AT = 8;

/** Response of ApiVersions v0, with as much as Penstock asks for. */
function versions(request: Buffer): Buffer {
  const offered = [API.metadata, API.offsetFetch, API.apiVersions, API.txnOffsetCommit];
  const response = Buffer.alloc(14 + 6 * offered.length);
  response.writeInt32BE(response.length - 4);
  request.copy(response, 4, CORRELATION_AT, CORRELATION_AT + 4);
  response.writeInt32BE(offered.length, 10);
  for (const [index, apiKey] of offered.entries()) {
    response.writeInt16BE(apiKey, 14 + 6 * index);
    response.writeInt16BE(10, 18 + 6 * index);
  }
  return response;
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

test('a broker that freezes before it has told of the others is not the only one that is asked', async () => {
  const asked = new Set<string>();
  await using first = await freezes(() => asked.add('first'));
  await using second = await freezes(() => asked.add('second'));
  const options = { brokers: [first.address, second.address], request_timeout: '1s' };
  const admin = new KafkaAdmin(new KafkaConnection(kafkaOptions.parse(options), pino({ level: 'silent' })));
  for (const count of [1, 2]) {
    await assert.rejects(admin.partitionCounts(['t']), /Metadata.* timed out/);
    assert.equal(asked.size, count);
  }
  await admin.close();
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
