import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { readMetrics } from '../../lab/deployment/metrics-page.ts';
import { NodeReceiver, numberedBody } from '../../lab/nodes/node-receiver.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const [kafka, receiver] = await Promise.all([startKafka(), NodeReceiver.open(0)]);
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['record'], count: 2 } }],
  nodes: [{ name: 'node-0', url: receiver.url }],
  drain: { node: 'node-0' },
});
closeAfterTests(penstock, receiver, kafka);

test('a drain counts task records that repeat their source or lack a part of a step, and forwards them', async () => {
  const topic = penstock.topic('all');
  const { admin, process } = await penstock.start(['drain']);
  const records = [
    { 'penstock-source': 'raw/0/5-9' },
    { 'penstock-source': 'raw/0/5-9' },
    { 'penstock-source': 'raw/0/10-11', 'penstock-part': '2/2' },
    { 'penstock-source': 'raw/0/12-12' },
  ];
  await penstock.producer.send(
    records.map((headers, number) => ({
      topic,
      partition: 1,
      key: null,
      value: numberedBody(1, number),
      headers,
      timestamp: Date.now(),
    })),
  );
  await poll(
    () => receiver.count === records.length,
    {},
    () => new Error(`the node has ${receiver.count} records`),
  );
  const faults = (await readMetrics({ admin })).find('penstock_source_faults_total');
  assert.deepEqual(
    new Map(faults.map(({ labels, value }) => [`${labels['topic']} ${labels['fault']}`, value])),
    new Map([
      [`${topic} repeated`, 1],
      [`${topic} missing`, 1],
    ]),
  );
  const said = () =>
    process
      .log()
      .split('\n')
      .filter((line) => line.includes('a task record is out of sequence'));
  await process.waitUntil('both faults are said', () => said().length >= 2);
  const lines = said();
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ offset, source, fault }) => ({ offset, source, fault })),
    [
      { offset: '1', source: 'raw/0/5-9', fault: 'repeated' },
      { offset: '2', source: 'raw/0/10-11', fault: 'missing' },
    ],
  );
});
