import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BRIEF } from '../../../src/io/kafka/client/connection.ts';
import { drainGroupId } from '../../../src/services/drain/assignment.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { uniqueName } from '../../lab/names.ts';
import { NodeReceiver, numberedBody } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const NODE = 'node-0';
/** Well below the minute after which lag without a commit makes a drain not ready; CI may be busy. */

const [kafka, receiver] = await Promise.all([startKafka(), NodeReceiver.open(0)]);
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['record'], count: 2 } }],
  nodes: [{ name: NODE, url: receiver.url }],
  drain: { node: NODE },
});
closeAfterTests(penstock, receiver, kafka);

test('aborted records at the end of a task partition are no lag: their offsets are committed without a record', async () => {
  const topic = penstock.topic('all');
  const group = drainGroupId(topic, NODE);
  const { process } = await penstock.start(['drain']);
  const producer = penstock.connection.instance(BRIEF).producer({
    transactionalId: uniqueName('tx'),
    idempotent: false,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  /** A record and the marker of its transaction: the end of a partition is known before it is written. */
  let end = 0n;
  const write = async (number: number, outcome: 'commit' | 'abort') => {
    const transaction = await producer.transaction();
    for (const partition of [0, 1]) {
      await transaction.send({ topic, messages: [{ partition, value: numberedBody(partition, number) }] });
    }
    await transaction[outcome]();
    end += 2n;
  };
  const caughtUp = async () => {
    let committed: bigint[] = [];
    await poll(
      async () => {
        committed = [...(await penstock.admin.committedOffsets(group, topic)).values()];
        return committed.length === 2 && committed.every((offset) => offset === end);
      },
      {},
      () => new Error(`the drain has committed ${committed} of ${end}`),
    );
  };
  await write(0, 'commit');
  await write(1, 'abort');
  await caughtUp();
  await write(2, 'abort'); // and when there was no record before them
  await caughtUp();
  await write(3, 'commit');
  await caughtUp();
  await producer.disconnect();
  assert.deepEqual(
    receiver.taken,
    new Map([
      [0, [0, 3]],
      [1, [0, 3]],
    ]),
  );
  assert.deepEqual(await process.stop(), { code: 0, signal: null });
});
