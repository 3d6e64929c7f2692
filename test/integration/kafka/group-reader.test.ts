import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { KafkaAdmin } from '../../../src/io/kafka/admin/admin.ts';
import { BRIEF } from '../../../src/io/kafka/client/connection.ts';
import { GroupReader } from '../../../src/io/kafka/group/group-reader.ts';
import { kafkajs } from '../../../src/io/kafka/patch/load.ts';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { spawnCopyingWorker } from '../../support/copying-process.ts';
import { CopyingWorker, FAST_GROUP, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { connect, NumberSource, TestKafka } from '../../support/kafka-data.ts';

const cluster = await startKafka();
const kafka = new TestKafka(cluster.brokers);
closeAfterTests({ close: stopCopyingWorkers }, kafka, cluster);

describe('a group reader', { concurrency: true }, () => {
  async function setup(partitions: number) {
    const input = await kafka.createTopic('in', partitions);
    const output = await kafka.createTopic('out', partitions);
    return { brokers: cluster.brokers, groupId: uniqueName('reader'), input, output };
  }
  type Topics = Awaited<ReturnType<typeof setup>>;

  const until = (what: string, check: () => boolean | Promise<boolean>) =>
    poll(check, {}, () => new Error(`waiting for "${what}" took too long`));

  const committed = async ({ groupId, input }: Topics, partition: number) =>
    (await kafka.admin.committedOffsets(groupId, input)).get(partition) ?? -1n;

  test('queues no more than its bound of a topic that is compressed', async (t) => {
    const topics = await setup(1);
    const queueBytes = 8 << 20;
    // 32 times the same 3 KB: gzip makes a thirtieth of it.
    const value = () => Buffer.concat(Array<Buffer>(32).fill(randomBytes(3_000)));
    const producer = kafka.connection.instance(BRIEF).producer();
    await producer.connect();
    for (let sent = 0; sent < 600; sent++) {
      const compression = kafkajs.CompressionTypes.GZIP;
      await producer.send({ topic: topics.input, compression, messages: [{ value: value() }] });
    }
    await producer.disconnect();
    const worker = new CopyingWorker(topics, {
      reader: { queueBytes },
      transform: async ({ records }) => {
        await sleep(20);
        return records.map((source) => ({ ...source, value: null, topic: topics.output, headers: {} }));
      },
    });
    t.after(() => worker.stop());
    const queued: number[] = [];
    const watch = setInterval(() => queued.push(worker.reader.partitions[0]?.queuedBytes ?? 0), 1);
    await worker.start();
    await until('all is read', async () => (await committed(topics, 0)) === 600n);
    clearInterval(watch);
    assert.ok(Math.max(...queued) < queueBytes * 1.25, `${Math.max(...queued)} bytes were queued`);
  });

  test('queues no more than its bound, does not hold up other partitions, and keeps its membership', async (t) => {
    const topics = await setup(2);
    const queueBytes = 2 << 20;
    const fetchMaxBytes = 1 << 20;
    const record = Buffer.alloc(100_000, 'x');
    const total = 200;
    for (const partition of [0, 1]) {
      for (let sent = 0; sent < total; sent += 20)
        await kafka.produce(topics.input, partition, Array(20).fill(record));
    }
    const hold = Promise.withResolvers<void>();
    t.after(() => hold.resolve());
    const worker = new CopyingWorker(topics, {
      reader: { queueBytes, fetchMaxBytes },
      transform: async ({ records }, { partition }) => {
        if (partition === 0) await hold.promise;
        return records.map((source) => ({
          ...source,
          value: Buffer.from(String(source.offset)),
          topic: topics.output,
          headers: {},
        }));
      },
    });
    let most = 0;
    const watch = setInterval(() => {
      const queued = worker.reader.partitions.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
      most = Math.max(most, queued);
    }, 1);
    await worker.start();
    await until('a partition', () => worker.reader.partitions.length === 2);
    const slow = worker.reader.partitions.find(({ partition }) => partition === 0)!;
    const { membership } = slow;
    await until('the other partition is done', async () => (await committed(topics, 1)) === BigInt(total));
    assert.equal(slow.paused, true);
    await sleep(FAST_GROUP.sessionTimeout + 1500);
    assert.equal(await committed(topics, 0), -1n);
    assert.equal(slow.membership, membership);
    hold.resolve();
    await until('the slow partition is done', async () => (await committed(topics, 0)) === BigInt(total));
    clearInterval(watch);
    assert.ok(most >= queueBytes / 2, `${most} bytes were queued at most: the queue never filled`);
    assert.ok(most <= queueBytes + fetchMaxBytes, `${most} bytes were queued`);
    assert.equal(worker.sessions, 2);
    await worker.stop();
    const expected = Array.from({ length: total }, (_, offset) => String(offset));
    assert.deepEqual(await kafka.readAll(topics.output, 2), [expected, expected]);
  });

  test('neither stops nor repeats the partitions that stay through a rebalance', async () => {
    const topics = await setup(6);
    const source = new NumberSource(kafka, topics.input, 6).start();
    const first = await new CopyingWorker(topics).start();
    await until('six sessions', () => first.sessions === 6 && first.steps > 12);
    const before = first.reader.partitions;
    const second = await new CopyingWorker(topics).start();
    await until('an even share', () => first.reader.partitions.length === 3 && second.sessions === 3);
    const stayed = first.reader.partitions;
    assert.ok(stayed.every((partition) => before.includes(partition) && partition.state !== 'lost'));
    const gone = before.filter((partition) => !stayed.includes(partition));
    assert.deepEqual(
      gone.map(({ state }) => state),
      ['draining', 'draining', 'draining'],
    );
    await second.stop();
    await until('all partitions again', () => first.reader.partitions.length === 6 && first.sessions >= 9);
    assert.ok(stayed.every((partition) => first.reader.partitions.includes(partition)));
    const count = await source.stop();
    for (let partition = 0; partition < 6; partition++) {
      await until('the end', async () => (await committed(topics, partition)) === BigInt(count));
    }
    await first.stop();
    assert.deepEqual([...first.failures, ...second.failures], []);
    const expected = Array.from({ length: count }, (_, index) => String(index));
    for (const values of await kafka.readAll(topics.output, 6)) assert.deepEqual(values, expected);
  });

  test('with plain commits, goes on for a member that died, within its session', async () => {
    const topics = await setup(4);
    const source = new NumberSource(kafka, topics.input, 4).start();
    const survivor = await new CopyingWorker(topics, { delivery: 'at_least_once' }).start();
    const victim = spawnCopyingWorker({ ...topics, delivery: 'at_least_once' });
    await until('two members', () => survivor.reader.partitions.length === 2);
    const kept = new Set(survivor.reader.partitions.map(({ partition }) => partition));
    await sleep(1500);
    await victim.kill();
    await poll(
      () => survivor.reader.partitions.length === 4,
      { timeoutMs: FAST_GROUP.sessionTimeout + 24_000 },
      () => new Error('the partitions of the dead member were not taken over within its session'),
    );
    const count = await source.stop();
    for (let partition = 0; partition < 4; partition++) {
      await until('the end', async () => (await committed(topics, partition)) === BigInt(count));
    }
    assert.deepEqual(await survivor.stop(), []);
    const expected = Array.from({ length: count }, (_, index) => String(index));
    const output = await kafka.readAll(topics.output, 4);
    for (const [partition, values] of output.entries()) {
      if (kept.has(partition)) assert.deepEqual(values, expected);
      assert.deepEqual([...new Set(values)], expected);
    }
  });

  test('after a clean stop repeats nothing, also with plain commits', async () => {
    const topics = await setup(2);
    const source = new NumberSource(kafka, topics.input, 2).start();
    for (let run = 0; run < 3; run++) {
      const worker = await new CopyingWorker(topics, { delivery: 'at_least_once' }).start();
      await until('some steps', () => worker.steps > 6);
      assert.deepEqual(await worker.stop(), []);
    }
    const count = await source.stop();
    const last = await new CopyingWorker(topics, { delivery: 'at_least_once' }).start();
    for (const partition of [0, 1]) {
      await until('the end', async () => (await committed(topics, partition)) === BigInt(count));
    }
    await last.stop();
    const expected = Array.from({ length: count }, (_, index) => String(index));
    assert.deepEqual(await kafka.readAll(topics.output, 2), [expected, expected]);
  });

  test('leaves no timer and no connection behind when it stops', async () => {
    const topics = await setup(1);
    const worker = spawnCopyingWorker(topics);
    await worker.waitForLog(/started/);
    await kafka.produce(topics.input, 0, ['1']);
    await until('a commit', async () => (await committed(topics, 0)) === 1n);
    // Nothing in it ends the process: it ends when nothing keeps it.
    const exit = await worker.stop();
    assert.deepEqual(exit, { code: 0, signal: null }, worker.log());
  });

  test('a partition whose commits are refused does not hold up those of the others', async (t) => {
    const { input, groupId } = await setup(8);
    const failed = new Set<number>();
    const log = pino({ level: 'debug' }, { write: (line) => noteFailed(JSON.parse(line)) });
    const told = new Set<number>();
    const noteFailed = ({ msg, partition }: { msg: string; partition: number }) => {
      if (msg.startsWith('commit failed')) failed.add(partition);
      if (msg.startsWith('an offset is not committed')) told.add(partition);
    };
    const connection = connect(cluster.brokers);
    const admin = new KafkaAdmin(connection);
    const all = Promise.withResolvers<void>();
    const done = new Set<number>();
    const reader: GroupReader = new GroupReader(
      connection,
      admin,
      {
        ...FAST_GROUP,
        groupId,
        topics: [input],
        consume: async (partition) => {
          await reader.confirmOwnership(partition);
          if (reader.partitions.length === 8 && partition.partition === 7) all.resolve();
          await all.promise;
          // Brokers take notes of 4096 bytes.
          const note = partition.partition === 3 ? 'x'.repeat(5_000) : '';
          for (let offset = 0n; offset < 5n; offset += 1n) await reader.commit(partition, offset, note);
          done.add(partition.partition);
        },
      },
      log,
    );
    t.after(async () => {
      await reader.stop(performance.now());
      await admin.close();
    });
    await reader.start();
    await until('the others have committed', () => done.size === 7);
    await until('one is refused', () => failed.size > 0);
    assert.deepEqual([...failed], [3]);
    await until('that is told', () => told.has(3));
    assert.deepEqual(
      [...(await kafka.admin.committedOffsets(groupId, input)).keys()].sort(),
      [0, 1, 2, 4, 5, 6, 7],
    );
  });
});
