import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Producer, Transaction } from 'kafkajs';
import { KafkaAdmin } from '../../../src/io/kafka/admin/admin.ts';
import { BRIEF } from '../../../src/io/kafka/client/connection.ts';
import { GroupReader } from '../../../src/io/kafka/group/group-reader.ts';
import { uniqueName } from '../../lab/names.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests, closing } from '../../support/closing.ts';
import { FAST_GROUP } from '../../support/copying-worker.ts';
import { connect, SILENT, TestKafka } from '../../support/kafka-data.ts';

/** The key that plain kafkajs takes for an abort marker. */
const MARKER_LIKE_KEY = Buffer.alloc(4);

const cluster = await startKafka();
const kafka = new TestKafka(cluster.brokers);
closeAfterTests(kafka, cluster);

describe('a group reader sees exactly the committed records', { concurrency: true }, () => {
  async function producer(): Promise<Producer & AsyncDisposable> {
    const transactional = kafka.connection.instance(BRIEF).producer({
      transactionalId: uniqueName('tx'),
      idempotent: false,
      allowAutoTopicCreation: false,
      createPartitioner: () => () => 0,
    });
    await transactional.connect();
    return Object.assign(transactional, { [Symbol.asyncDispose]: () => transactional.disconnect() });
  }

  const write = (transaction: Transaction, topic: string, value: string, key: Buffer | null = null) =>
    transaction.send({ topic, messages: [{ key, value }] });

  /** What a group reader takes from partition 0 up to the value `end`. */
  async function read(topic: string, fetchMaxBytes = FAST_GROUP.fetchMaxBytes): Promise<string[]> {
    const values: string[] = [];
    const connection = connect(cluster.brokers);
    await using admin = closing(new KafkaAdmin(connection));
    const done = Promise.withResolvers<void>();
    const reader = new GroupReader(
      connection,
      admin,
      {
        ...FAST_GROUP,
        fetchMaxBytes,
        groupId: uniqueName('reader'),
        topics: [topic],
        consume: async (partition) => {
          partition.begin((await reader.startOffset(partition)).offset);
          for (;;) {
            const taken = await partition.take({ maxRecords: 10, maxBytes: 1 << 20, lingerMs: 0 });
            if (taken === undefined) return;
            values.push(...taken.records.map(({ value }) => String(value)));
            if (values.at(-1) === 'end') done.resolve();
          }
        },
      },
      SILENT,
    );
    await reader.start();
    await Promise.race([done.promise, reader.failure]);
    await reader.stop(performance.now() + 5000);
    return values;
  }

  test('when two producers abort transactions that overlap', async () => {
    const topic = await kafka.createTopic('overlap', 1);
    await using one = await producer();
    await using two = await producer();
    await kafka.produce(topic, 0, ['a']);
    const first = await one.transaction();
    await write(first, topic, 'aborted 1');
    const second = await two.transaction();
    await write(second, topic, 'aborted 2');
    await second.abort(); // listed before the first, which began earlier
    await write(first, topic, 'aborted 3');
    await kafka.produce(topic, 0, ['b']);
    await first.abort();
    const third = await two.transaction();
    await write(third, topic, 'c');
    await third.commit();
    await kafka.produce(topic, 0, ['end']);
    assert.deepEqual(await read(topic), ['a', 'b', 'c', 'end']);
  });

  test('when one producer aborts twice, with a commit between and after', async () => {
    const topic = await kafka.createTopic('twice', 1);
    await using one = await producer();
    for (const [value, commit] of [
      ['aborted 1', false],
      ['aborted 2', false],
      ['a', true],
      ['aborted 3', false],
      ['b', true],
    ] as const) {
      const transaction = await one.transaction();
      await write(transaction, topic, value);
      await write(transaction, topic, `${value} again`);
      await (commit ? transaction.commit() : transaction.abort());
    }
    await kafka.produce(topic, 0, ['end']);
    assert.deepEqual(await read(topic), ['a', 'a again', 'b', 'b again', 'end']);
  });

  test('when records have a key of four zero bytes', async () => {
    const topic = await kafka.createTopic('zeros', 1);
    await using one = await producer();
    const aborted = await one.transaction();
    await write(aborted, topic, 'aborted 1', MARKER_LIKE_KEY);
    await kafka.produce(topic, 0, ['a'], MARKER_LIKE_KEY);
    await write(aborted, topic, 'aborted 2', MARKER_LIKE_KEY);
    await write(aborted, topic, 'aborted 3');
    await aborted.abort();
    const committed = await one.transaction();
    await write(committed, topic, 'b', MARKER_LIKE_KEY);
    await committed.commit();
    await kafka.produce(topic, 0, ['end']);
    assert.deepEqual(await read(topic), ['a', 'b', 'end']);
  });

  test('when an aborted transaction is longer than a fetch', async () => {
    const topic = await kafka.createTopic('long', 1);
    await using one = await producer();
    const aborted = await one.transaction();
    for (let i = 0; i < 20; i++) {
      await write(aborted, topic, `aborted ${i} ${'x'.repeat(4000)}`);
      await kafka.produce(topic, 0, [String(i)]);
    }
    await aborted.abort();
    await kafka.produce(topic, 0, ['end']);
    assert.deepEqual(await read(topic, 16_000), [...Array.from({ length: 20 }, (_, i) => String(i)), 'end']);
  });
});
