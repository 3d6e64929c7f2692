import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const LIFE = new URL('../../../../src/app/service/life.ts', import.meta.url).href;

/** A program that is done, but for something that waits for ever: as kafkajs does for a coordinator that is gone. */
const WAITING = `
  import { createServer } from 'node:net';
  import { endSoon } from '${LIFE}';
  createServer().listen(0);
  setInterval(() => {}, 3_600_000);
  endSoon(3, { debug() {} });
`;

test('a stopped process ends, with its exit code, although something still waits', () => {
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module-typescript', '--eval', WAITING],
    { timeout: 60_000, encoding: 'utf8' },
  );
  assert.deepEqual({ status, signal }, { status: 3, signal: null }, stderr);
});
