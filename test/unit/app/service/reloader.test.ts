import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Config, parseConfig } from '../../../../src/app/config/load.ts';
import { changeInTime, Reloader } from '../../../../src/app/service/reloader.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';
import { createLog } from '../../../../src/io/telemetry/log.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';

const ROUTE = 'routes: [{name: a, task: {labels: [x], count: 8}}]';
const parse = (more = '') => parseConfig(`${ROUTE}\n${more}`, '/dir/penstock.yml', {}, () => '');

/** A worker's reloader, whose file a test changes, and what came of it. */
function observed() {
  const metrics = new Metrics();
  const told: string[] = [];
  const state = { text: '', applied: [] as string[], fails: undefined as Error | undefined, reads: 0 };
  let finish = () => {};
  const held = { until: Promise.resolve() };
  const reloader = new Reloader({
    command: 'worker',
    config: parse(),
    load: () => {
      state.reads += 1;
      return parse(state.text);
    },
    apply: async ({ log }: Config) => {
      await held.until;
      if (state.fails !== undefined) throw state.fails;
      state.applied.push(log.level);
    },
    inForce: ({ hash }) => told.push(hash),
    metrics,
    log: createLog('silent', 'test'),
  });
  const hold = () => {
    held.until = new Promise((resolve) => {
      finish = resolve;
    });
    return () => finish();
  };
  const successful = async () => (await metrics.reloadSuccessful.get()).values[0]!.value;
  return { reloader, state, told, hold, successful };
}

test('what is applied is in force, and each key that has changed is named', async () => {
  const { reloader, state, told, successful } = observed();
  state.text = 'log: {level: warn}\ndrain: {late_after: 2m}';
  const { applied, text } = await reloader.reload();
  assert.ok(applied);
  const hash = parse(state.text).hash;
  assert.deepEqual(text.split('\n'), [
    `Reloaded; configuration ${hash} is in force.`,
    'changed: log.level',
    'not for a worker: drain.late_after',
  ]);
  assert.deepEqual(told, [parse().hash, hash]);
  assert.equal(reloader.config.log.level, 'warn');
  assert.equal(await successful(), 1);
  assert.match((await reloader.reload()).text, /Nothing of it that a worker goes by has changed/);
});

test('what takes a restart is refused as a whole, with its line, and applies nothing', async () => {
  const { reloader, state, successful } = observed();
  state.text = 'log: {level: warn}\nkafka: {client_id: other}\ningest: {group: g}';
  const { applied, text } = await reloader.reload();
  assert.equal(applied, false);
  assert.deepEqual(text.split('\n').slice(0, 3), [
    '/dir/penstock.yml:3: kafka.client_id: changed, and takes effect at a restart only',
    '/dir/penstock.yml:4: worker.group: changed, and takes effect at a restart only',
    'Restart the process, or put them back in /dir/penstock.yml and reload.',
  ]);
  assert.deepEqual(state.applied, []);
  assert.equal(reloader.config.log.level, 'info');
  assert.equal(await successful(), 0);
  state.text = 'log: {level: warn}';
  assert.ok((await reloader.reload()).applied);
  assert.equal(await successful(), 1);
});

test('a service that cannot go over leaves the old configuration in force', async () => {
  const { reloader, state } = observed();
  state.text = 'log: {level: warn}';
  state.fails = new ConfigError('process 1 does not like it');
  const { applied, text } = await reloader.reload();
  assert.equal(applied, false);
  assert.match(text, /^process 1 does not like it\nNothing has changed/);
  assert.equal(reloader.config.log.level, 'info');
});

test('one at a time: those that come meanwhile share the next, which reads the file again', async () => {
  const { reloader, state, hold } = observed();
  const letGo = hold();
  state.text = 'log: {level: warn}';
  const first = reloader.reload();
  await new Promise((resolve) => setImmediate(resolve));
  state.text = 'log: {level: error}';
  const others = [reloader.reload(), reloader.reload(), reloader.reload()];
  letGo();
  assert.ok((await first).applied);
  const answers = await Promise.all(others);
  assert.ok(answers.every(({ applied }) => applied));
  assert.deepEqual(state.applied, ['warn', 'error']);
  assert.equal(state.reads, 2);
});

test('a change that is not ready in time is refused, and given up when it is', async () => {
  const made: string[] = [];
  let ready = (_: { commit: () => void; discard: () => void }) => {};
  const slow = new Promise<{ commit: () => void; discard: () => void }>((resolve) => {
    ready = resolve;
  });
  await assert.rejects(
    changeInTime(() => slow, 10),
    /could not be checked within 10 ms/,
  );
  ready({ commit: () => made.push('commit'), discard: () => made.push('discard') });
  await slow;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(made, ['discard']);
});
