import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BRIEF } from '../../../src/io/kafka/client/connection.ts';
import { uniqueName } from '../../lab/names.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { type ConsoleRead, consoleRead } from '../../lab/servers/kafka-console.ts';
import { TestKafka } from '../../support/kafka-data.ts';

/** The chaos run holds its own reader against this one. */
test("Kafka's console consumer gives every byte of a value, and aborted records to read_uncommitted only", async () => {
  const cluster = await startKafka();
  await using kafka = new TestKafka(cluster.brokers);
  try {
    const topic = await kafka.createTopic('console', 1);
    const committed = [
      Buffer.from('Partition:0\tOffset:7\t\n\r\n'),
      Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    ];
    const producer = kafka.connection.instance(BRIEF).producer({
      transactionalId: uniqueName('tx'),
      createPartitioner: () => () => 0,
    });
    await producer.connect();
    const cut = await producer.transaction();
    await cut.send({ topic, messages: [{ value: 'aborted' }] });
    await cut.abort();
    const whole = await producer.transaction();
    await whole.send({ topic, messages: committed.map((value) => ({ value })) });
    await whole.commit();
    await producer.disconnect();

    const read = async (isolation: ConsoleRead['isolation']) => {
      const records: string[] = [];
      await consoleRead({ brokers: cluster.brokers, topic, isolation }, ({ partition, offset, value }) =>
        records.push(`${partition}/${offset} ${value.toString('hex')}`),
      );
      return records;
    };
    // Offset 1 is the marker of the transaction that was cut.
    const seen = committed.map((value, at) => `0/${2 + at} ${value.toString('hex')}`);
    const [only, all] = await Promise.all([read('read_committed'), read('read_uncommitted')]);
    assert.deepEqual(only, seen);
    assert.deepEqual(all, [`0/0 ${Buffer.from('aborted').toString('hex')}`, ...seen]);
  } finally {
    await cluster.close();
  }
});
