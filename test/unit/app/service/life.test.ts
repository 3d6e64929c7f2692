import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Config } from '../../../../src/app/config/load.ts';
import { live } from '../../../../src/app/service/life.ts';
import type { Logger } from '../../../../src/io/telemetry/log.ts';

/** Before a service that met Kafka away at its first start starts again, in ms, and a little. */
const LONGEST_FIRST_PAUSE_MS = 600;

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

test('a service that is asked to stop while it waits for Kafka does not start again', async () => {
  let starts = 0;
  const phases: string[] = [];
  const asked = Promise.withResolvers<void>();
  const log = { warn: () => asked.resolve(), info() {}, error() {}, fatal() {} };
  const service = {
    start: async () => {
      starts += 1;
      if (starts === 1) throw new Error('a failure of Kafka');
    },
    failure: new Promise<never>(() => undefined),
    stop: async () => 0,
  };
  const config = { stop_deadline: 1_000, kafka: { brokers: [] } };
  const end = await live(service as never, {
    name: 'test',
    config: () => config as never as Config,
    log: log as never as Logger,
    asked: asked.promise,
    onPhase: (phase) => phases.push(phase),
  });
  await setTimeout(LONGEST_FIRST_PAUSE_MS);
  assert.deepEqual([end.code, starts, phases], [0, 1, ['stopping']]);
});
