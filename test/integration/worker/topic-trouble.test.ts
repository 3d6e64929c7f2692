import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { TopicAdmin } from '../../../src/io/kafka/admin/topic-admin.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { runPenstock } from '../../lab/deployment/penstock.ts';
import type { Running } from '../../lab/deployment/running.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests } from '../../support/closing.ts';

const START_MS = 1_760_000_000_000;
const TEXT = { 'content-type': 'text/plain; version=0.0.4' };

const route = (name: string) => ({
  name,
  match: [`{__name__="${name}"}`],
  task: { labels: ['job'], count: 2 },
});

const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: 2,
  routes: [route('a'), route('b')],
});
closeAfterTests(penstock, kafka);

let sample = 0;
const written = { a: 0, b: 0 };

/** Writes a record for each name to a partition of the ingest topic, each with one series too large for a tiny record. */
async function produce(partition: number, names: ('a' | 'b')[]): Promise<void> {
  const bodies = names.map((name) => {
    sample += 1;
    written[name] += 1;
    const pad = randomBytes(2_000).toString('hex');
    return Buffer.from(`${name}{job="j",pad="${pad}"} ${sample} ${START_MS + sample}\n`);
  });
  await penstock.produce(bodies, partition, TEXT);
}

const committed = async () => {
  const offsets = await penstock.admin.committedOffsets(penstock.group, penstock.raw);
  return [0, 1].map((partition) => Number(offsets.get(partition) ?? 0n));
};

async function reaches(expected: number[], worker: Running): Promise<void> {
  let last: number[] = [];
  await poll(
    async () => {
      assert.equal(worker.process.exit, undefined, worker.process.log());
      last = await committed();
      return last.join() === expected.join();
    },
    {},
    () => new Error(`committed is ${last}, expected ${expected}:\n${worker.process.log()}`),
  );
}

async function shows(worker: Running, pattern: RegExp): Promise<void> {
  let text = '';
  await poll(
    async () => pattern.test((text = await (await fetch(`${worker.admin}/metrics`)).text())),
    {},
    () => new Error(`${pattern} is not in ${text.match(/^penstock_(topic_trouble|waiting).*$/gm)}`),
  );
}

/** All that was written is in the task topics, each once, and nothing is a dead letter. */
async function assertDelivered(): Promise<void> {
  for (const name of ['a', 'b'] as const) {
    const found = samplesOf(await penstock.read(penstock.topic(name)));
    assert.equal(found.samples.size, written[name], name);
    assert.equal(found.repeated, 0);
  }
  assert.deepEqual(await penstock.read(penstock.dead), []);
}

describe('a task topic in trouble', { concurrency: false }, () => {
  let worker: Running;
  const tasks = penstock.topic('b');

  test('deleted: only what needs it waits, also after a restart, until it is there again', async () => {
    worker = await penstock.start(['worker']);
    await produce(0, ['a']);
    await produce(1, ['b']);
    await reaches([1, 1], worker);
    await (await penstock.admin.client()).deleteTopics({ topics: [tasks] });
    written.b = 0;
    await produce(0, ['a', 'a']);
    await produce(1, ['a', 'b', 'a']);
    // What comes before the record that needs it is published.
    await reaches([3, 2], worker);
    await worker.process.waitForLog(new RegExp(`topic ${tasks} does not exist`));
    await shows(worker, new RegExp(`^penstock_topic_trouble\\{topic="${tasks}",kind="missing"\\} 1$`, 'm'));
    await shows(
      worker,
      new RegExp(`^penstock_waiting_partitions\\{topic="${penstock.raw}",waits_for="${tasks}"\\} 1$`, 'm'),
    );
    assert.equal((await worker.process.stop()).code, 0, worker.process.log());
    worker = await penstock.start(['worker']);
    await produce(0, ['a']);
    await reaches([4, 2], worker);
    await worker.process.waitForLog(new RegExp(`topic ${tasks} does not exist`));
    const { configFile } = penstock;
    assert.equal((await runPenstock(['topics', 'apply'], { configFile })).code, 0);
    await reaches([4, 4], worker);
    await assertDelivered();
  });

  test('with a tiny max.message.bytes: nothing is a dead letter, also after a restart, until it is larger', async () => {
    const topics = new TopicAdmin(penstock.admin);
    await topics.alter(tasks, { 'max.message.bytes': '1000' });
    await produce(0, ['a', 'a']);
    await produce(1, ['a', 'b', 'a']);
    await reaches([6, 5], worker);
    await worker.process.waitForLog(new RegExp(`topic ${tasks} takes records of 1000 bytes at most`));
    assert.equal((await worker.process.stop()).code, 0, worker.process.log());
    worker = await penstock.start(['worker']);
    await produce(0, ['a']);
    await reaches([7, 5], worker);
    await worker.process.waitForLog(new RegExp(`topic ${tasks} takes records of 1000 bytes at most`));
    await topics.alter(tasks, { 'max.message.bytes': '4194304' });
    await reaches([7, 7], worker);
    await assertDelivered();
    await worker.process.waitForLog(/the topic can be used again/);
    assert.equal((await worker.process.stop()).code, 0, worker.process.log());
  });
});
