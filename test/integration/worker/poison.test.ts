import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from '../../../src/core/wire/snappy.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { headerOf } from '../../lab/deployment/read-topic.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { memoryMib } from '../../lab/process-usage.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';

const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['service'], count: 4 } }],
});
closeAfterTests(penstock, kafka);

test('each malformed record is one dead letter with its reason, and the worker runs on', async () => {
  const { process } = await penstock.start(['worker']);
  const series = trueSeries(50);
  const good = (round: number) => scrape(series, 1_760_000_000_000 + round * 1000, round);
  const whole = good(0);

  const claimsFourGib = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), Buffer.alloc(100, 1)]);
  const truncatedProtobuf = compress(Buffer.from([0x0a, 0x7f, 0x0a, 0x03, 0x61]));
  const poison: [string, Buffer | null][] = [
    ['snappy', Buffer.from('this is no snappy')],
    ['protobuf', truncatedProtobuf],
    ['record_too_large', claimsFourGib],
    ['empty_record', Buffer.alloc(0)],
    ['null_value', null],
  ];
  const remoteWrite = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  for (const [, body] of poison) await penstock.produce([good(1), body, good(2)], 0, remoteWrite);
  await penstock.workersDone();

  const dead = await penstock.read(penstock.dead);
  assert.deepEqual(
    dead.map((letter) => headerOf(letter, 'penstock-reason')),
    poison.map(([reason]) => reason),
  );
  for (const [index, letter] of dead.entries()) {
    const offset = index * 3 + 1;
    assert.equal(headerOf(letter, 'penstock-source'), `${penstock.raw}/0/${offset}`);
    assert.equal(headerOf(letter, 'penstock-stage'), 'decode');
    assert.notEqual(headerOf(letter, 'penstock-error'), '');
    assert.ok(Date.parse(headerOf(letter, 'penstock-first-seen')) > 0);
    assert.deepEqual(letter.value, poison[index]![1], 'the record as received');
  }

  // Many more of them: memory stays flat, and what is good still arrives.
  const before = memoryMib(process.pid, 'VmRSS');
  for (let round = 0; round < 40; round += 1) {
    await penstock.produce(
      poison.flatMap(([, body]) => [body, body, body, body]),
      0,
      remoteWrite,
    );
  }
  await penstock.produce([whole], 0, remoteWrite);
  await penstock.workersDone();
  assert.ok(
    memoryMib(process.pid, 'VmRSS') < before + 150,
    `${before} ▸ ${memoryMib(process.pid, 'VmRSS')} MiB resident`,
  );
  assert.equal((await penstock.read(penstock.dead)).length, poison.length * (1 + 40 * 4));

  const tasks = await penstock.read(penstock.topic('all'));
  const samples = tasks.reduce((sum, task) => sum + Number(headerOf(task, 'penstock-samples')), 0);
  assert.equal(samples, 50 * (2 * poison.length + 1), 'samples of the good records');
  assert.equal(process.exit, undefined, 'the worker runs on');
});
