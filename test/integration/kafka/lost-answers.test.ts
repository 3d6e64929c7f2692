import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { NumberSource, TestKafka } from '../../support/kafka-data.ts';
import { API, startProxiedKafka } from '../../support/kafka-proxy.ts';

const { proxy, kafka: cluster, brokers } = await startProxiedKafka('lost-answers');
closeAfterTests({ close: stopCopyingWorkers }, cluster, proxy);

test('a lost request and a lost answer of a transaction neither lose nor repeat a step', async () => {
  await using kafka = new TestKafka(brokers);
  const topics = {
    brokers,
    groupId: uniqueName('lost'),
    input: await kafka.createTopic('in', 2),
    output: await kafka.createTopic('out', 2),
  };
  const source = new NumberSource(kafka, topics.input, 2).start();
  const worker = await new CopyingWorker(topics).start();
  const works = async () => {
    const { steps } = worker;
    await poll(
      () => worker.steps > steps + 4,
      {},
      () => new Error(`the worker stands still: ${worker.failures.at(-1)}`),
    );
  };
  await works();
  const requests = [
    API.endTxn,
    API.endTxn,
    API.txnOffsetCommit,
    API.addOffsetsToTxn,
    API.addPartitionsToTxn,
    API.produce,
  ];
  for (const apiKey of requests) {
    for (const lost of ['answer', 'request'] as const) {
      await proxy.cut(apiKey, topics.groupId, lost);
      await works();
    }
  }
  // While a session begins: it is opened by the failure before.
  for (const apiKey of [API.initProducerId, API.offsetFetch]) {
    const opening = proxy
      .cut(API.endTxn, topics.groupId, 'answer')
      .then(() => proxy.cut(apiKey, topics.groupId, 'answer'));
    await opening;
    await works();
  }
  const count = await source.stop();
  await poll(
    async () => {
      const offsets = await kafka.admin.committedOffsets(topics.groupId, topics.input);
      return [...offsets.values()].every((offset) => offset === BigInt(count));
    },
    {},
    () => new Error('the group did not catch up'),
  );
  assert.deepEqual(await worker.stop(), []);
  assert.ok(worker.failures.length >= 2 * requests.length);
  const expected = Array.from({ length: count }, (_, index) => String(index));
  for (const values of await kafka.readAll(topics.output, 2)) assert.deepEqual(values, expected);
});
