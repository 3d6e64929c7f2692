/** What waiting and a reader that goes away do to a replay, on a Kafka that forgets offsets after a minute. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { replayGroup } from '../../../src/services/replay/stored-replay.ts';
import { ROOT } from '../../lab/cache.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { listed, replay, startReplay, writeHistory } from '../../support/replay-history.ts';

const kafka = await startKafka({
  properties: { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '2000' },
});
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: 3,
  routes: [{ name: 'all', task: { labels: ['service'], count: 4 } }],
});
closeAfterTests(penstock, kafka);
for (const partition of [0, 1, 2]) await writeHistory(penstock, { records: 200, partition });

const FORGOTTEN_MS = 90_000;

test('a replay whose storage is away for longer than Kafka keeps offsets goes on where it was', async () => {
  let away = true;
  let samples = 0;
  const storage = createServer((request, response) => {
    request.resume().on('end', () => {
      if (!away) samples++;
      response.writeHead(away ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve));
  const { port } = storage.address() as AddressInfo;
  try {
    const process = startReplay(
      penstock,
      ...['--from', '-1h', '--id', 'waits', '--to-storage', `http://127.0.0.1:${port}`],
    );
    await poll(
      async () => (await listed(penstock, 'waits')) !== undefined,
      { timeoutMs: 60_000 },
      () => new Error('not begun'),
    );
    await new Promise((resolve) => setTimeout(resolve, FORGOTTEN_MS));
    assert.equal(process.exit, undefined, process.log());
    const entries = (await penstock.admin.committedEntries(replayGroup('waits'))).get(penstock.raw);
    assert.deepEqual([...(entries?.keys() ?? [])].sort(), [0, 1, 2], 'Kafka has forgotten positions');
    away = false;
    assert.equal((await process.waitForExit({ timeoutMs: 60_000 })).code, 0, process.log());
    assert.ok(samples > 0);
  } finally {
    storage.closeAllConnections();
    storage.close();
  }
});

test('a replay that Kafka has forgotten is not taken for done or for one that never was', async () => {
  const limited = ['--from', '-1h', '--id', 'gone', '--to-file', '-', '--rate', '1'];
  const process = startReplay(penstock, ...limited);
  await poll(
    async () => (await listed(penstock, 'gone')) !== undefined,
    { timeoutMs: 60_000 },
    () => new Error('not begun'),
  );
  process.signal('SIGKILL');
  await poll(
    async () => (await penstock.admin.committedEntries(replayGroup('gone'))).get(penstock.raw)?.size !== 3,
    { timeoutMs: 150_000 },
    () => new Error('Kafka forgets nothing'),
  );
  const resumed = await replay(penstock, '--resume', 'gone');
  assert.equal(resumed.code, 1);
  assert.match(resumed.stderr, /Kafka has forgotten|there is no replay gone/);
});

test('a reader of standard output that goes away is no success', async () => {
  const command = `"$0" src/cli.ts replay --from -1h --to-file - --listen 127.0.0.1:0 -c "$1" | head -c 1 >/dev/null; exit \${PIPESTATUS[0]}`;
  const child = spawn('bash', ['-c', command, process.execPath, penstock.configFile], { cwd: ROOT });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 1, said);
  assert.match(said, /nobody reads standard output any more, so the samples were cut off/);
});
