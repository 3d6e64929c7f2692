import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../lab/cache.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { poll } from '../lab/process.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { samplesOf } from '../lab/truth/task-samples.ts';
import { closeAfterTests } from '../support/closing.ts';

const GUIDE = readFileSync(path.join(ROOT, 'docs/guides/producers.md'), 'utf8');

/** By the language of the example: what runs it, and what that needs beside this repository's own packages. */
const RUNS = {
  js: { command: process.execPath, args: ['--input-type=module', '-e'], needs: undefined },
  sh: { command: 'sh', args: ['-c'], needs: 'kcat' },
} as const;

const kafka = await startKafka();
closeAfterTests(kafka);

for (const [language, { command, args, needs }] of Object.entries(RUNS)) {
  const isMissing = needs !== undefined && spawnSync(needs, ['-V']).error !== undefined;
  const skip = isMissing && `${needs} is not installed`;
  test(`the example of the producers' guide in ${language} writes a sample that arrives`, {
    skip,
  }, async () => {
    const penstock = await Deployment.create({
      brokers: kafka.brokers,
      routes: [{ name: 'all', task: { labels: ['shop'], count: 1 } }],
    });
    try {
      const { status, stderr } = spawnSync(command, [...args, example(language, penstock.raw)], {
        cwd: ROOT,
        encoding: 'utf8',
        timeout: 60_000,
      });
      assert.equal(status, 0, stderr);
      const [record, ...more] = await penstock.read(penstock.raw);
      assert.deepEqual([String(record?.key), more.length], ['berlin-3', 0]);
      await penstock.start(['worker']);
      await penstock.workersDone();
      const read = async () => [...samplesOf(await penstock.read(penstock.topic('all'))).samples];
      await poll(
        async () => (await read()).length === 1,
        {},
        () => new Error('the sample has not arrived'),
      );
      const [key, value] = (await read())[0]!;
      assert.match(key, /^__name__="orders_total",shop="berlin-3",stream_task_id="0"@\d{13}$/);
      assert.equal(value, 17);
    } finally {
      await penstock.close();
    }
  });
}

/** The code of the guide's example, with this test's broker and topic. */
function example(language: string, topic: string): string {
  const blocks = GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'));
  const [, code] = [...blocks].find(([, block]) => block!.includes('localhost:9092')) ?? [];
  assert.ok(code !== undefined, `the guide has no example in ${language}`);
  const own = code.replaceAll('localhost:9092', kafka.brokers[0]!).replaceAll('metrics.raw', topic);
  assert.ok(own.includes(topic), 'the example names neither topic nor broker');
  return own;
}
