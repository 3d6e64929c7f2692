/** A replay that cannot write: it says so once, ends when it is told to, and what is left of it can be gone on with. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { createRunFolder, ROOT } from '../../lab/cache.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { freePort } from '../../lab/ports.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import {
  listed,
  replay,
  SAMPLES_PER_RECORD,
  startReplay,
  writeHistory,
} from '../../support/replay-history.ts';

const RECORDS = 200;
const PARTITIONS = [0, 1, 2];

const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: PARTITIONS.length,
  routes: [{ name: 'all', task: { labels: ['service'], count: 4 } }],
});
const folder = createRunFolder('unwritable');
closeAfterTests(penstock, kafka);
for (const partition of PARTITIONS) await writeHistory(penstock, { records: RECORDS, partition });

/** Runs a shell command, with Node as `$0` and the configuration as `$1`. */
function shell(command: string): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      'bash',
      ['-c', command, process.execPath, penstock.configFile],
      { cwd: ROOT },
      (_, __, stderr) => resolve({ code: child.exitCode, stderr }),
    );
  });
}

test('a disk that takes no more ends it with the reason, and it goes on where there is room', async () => {
  const file = path.join(folder, 'full.jsonl');
  const { code, stderr } = await shell(
    `ulimit -f 16; "$0" src/cli.ts replay --id full --from -1h --to-file ${file} --listen 127.0.0.1:0 -c "$1"`,
  );
  assert.equal(code, 1, stderr);
  assert.match(stderr, /full\.jsonl cannot be written any further: EFBIG.*ulimit -f/);
  assert.match(stderr, /penstock replay --resume full goes on where it was/);
  assert.equal((await listed(penstock, 'full'))?.state, 'stopped');
  const resumed = await replay(penstock, '--resume', 'full');
  assert.equal(resumed.code, 0, resumed.stderr);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, RECORDS * PARTITIONS.length * SAMPLES_PER_RECORD);
  assert.equal(new Set(lines).size, lines.length);
});

test('standard output that takes no more is named as that', async () => {
  const { code, stderr } = await shell(
    '"$0" src/cli.ts replay --from -1h --to-file - --listen 127.0.0.1:0 -c "$1" > /dev/full',
  );
  assert.equal(code, 1, stderr);
  assert.match(stderr, /standard output takes no more, so the samples were cut off: .*ENOSPC/);
});

test('a device or a folder is no file to write to', async () => {
  for (const [file, reason] of [
    ['/dev/full', /\/dev\/full is no regular file; expected one, or - for standard output/],
    [folder, /cannot be written: EISDIR/],
    [path.join(folder, 'none', 'x'), /is not there; expected .* in a folder that exists/],
  ] as const) {
    const { code, stderr } = await replay(penstock, '--id', 'nowhere', '--from', '-1h', '--to-file', file);
    assert.equal(code, 2, stderr);
    assert.match(stderr, reason);
    assert.equal(await listed(penstock, 'nowhere'), undefined);
  }
});

for (const [what, hangs] of [
  ['is away', false],
  ['answers nothing', true],
] as const) {
  test(`a storage that ${what} is waited for in few words, and the wait ends when it is told to`, async () => {
    const hung = createServer(() => undefined);
    await new Promise<void>((resolve) => hung.listen(0, '127.0.0.1', resolve));
    const port = hangs ? (hung.address() as AddressInfo).port : await freePort();
    const id = `dead-${hangs}`;
    try {
      const running = startReplay(
        penstock,
        ...['--id', id, '--from', '-1h', '--to-storage', `http://127.0.0.1:${port}/api/v1/write`],
      );
      if (hangs)
        await running.waitUntil('a request hangs', async () => {
          const count = await new Promise<number>((resolve) => hung.getConnections((_, n) => resolve(n)));
          return count > 0;
        });
      else await running.waitForLog(/ECONNREFUSED.*trying again/);
      // Each of the partitions tries again several times.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const begun = performance.now();
      running.signal('SIGINT');
      const { code } = await running.waitForExit();
      const seconds = (performance.now() - begun) / 1000;
      assert.notEqual(code, null);
      // stop_deadline is 20 s: the bound leaves the rest to a machine that is busy.
      assert.ok(seconds < 15, `${seconds} s after SIGINT`);
      const words = running.log().match(/trying again|tried \d+ times/g)?.length ?? 0;
      assert.ok(words <= 1, running.log());
      assert.equal((await listed(penstock, id))?.state, 'stopped');
    } finally {
      hung.closeAllConnections();
      hung.close();
    }
  });
}

test('a URL that is none of a storage ends it, and nothing is left of it', async () => {
  const other = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  try {
    const url = `http://127.0.0.1:${port}/wrong`;
    const { code, stderr } = await replay(penstock, '--id', 'wrong', '--from', '-1h', '--to-storage', url);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /nothing was written, and nothing is left of this replay/);
    assert.doesNotMatch(stderr, /--resume/);
    assert.equal(await listed(penstock, 'wrong'), undefined);
  } finally {
    other.closeAllConnections();
    other.close();
  }
});
