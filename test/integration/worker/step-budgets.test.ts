/** What a step may become is bounded, on a real cluster: many tenants, many dead letters, a record that makes the code throw. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../../src/app/config/load.ts';
import { STEP_LIMITS } from '../../../src/core/pipeline/step-limits.ts';
import { type CompiledRoute, compileRoutes } from '../../../src/core/route/route.ts';
import { createLog } from '../../../src/io/telemetry/log.ts';
import { Metrics } from '../../../src/io/telemetry/metrics.ts';
import { Worker } from '../../../src/services/worker/worker.ts';
import { Deployment, type DeploymentOptions } from '../../lab/deployment/deployment.ts';
import { headerOf, type ReadRecord } from '../../lab/deployment/read-topic.ts';
import { memoryMib } from '../../lab/process-usage.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests, closing } from '../../support/closing.ts';
import { seriesRecord } from '../../support/records.ts';

const TASKS = 32;
const TENANTS = 600;
/** What a worker may take more than while it waits: some 35 MiB of outputs, and what kafkajs makes of 4,100 records. */
const MOST_MIB = 300;

const kafka = await startKafka();
closeAfterTests(kafka);

async function deploy(tasks: number, worker: DeploymentOptions['worker'] = {}) {
  const routes = [{ name: 'all', task: { labels: ['__name__'], count: tasks } }];
  return closing(await Deployment.create({ brokers: kafka.brokers, routes, worker }));
}

/** Writes values to the one partition of the ingest topic, with headers of their own. */
async function write(
  penstock: Deployment,
  records: readonly { readonly value: Buffer | null; readonly headers: object }[],
): Promise<void> {
  const written = records.map(({ value, headers }) => ({
    topic: penstock.raw,
    partition: 0,
    key: null,
    value,
    headers: headers as Record<string, string>,
    timestamp: Date.now(),
  }));
  await penstock.fill(written);
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `series_${index}`);
}

/** How many records each transaction of the worker wrote: those of one step name the same offsets. */
function recordsOfSteps(records: readonly ReadRecord[]): number[] {
  const steps = Map.groupBy(records, (record) => headerOf(record, 'penstock-source'));
  return [...steps.values()].map(({ length }) => length);
}

test('tenants times tasks are published in several transactions, each sample once, in bounded memory', async () => {
  await using penstock = await deploy(TASKS);
  const { process } = await penstock.start(['worker']);
  const { pid } = process;
  const before = memoryMib(pid, 'VmRSS');
  const series = names(2 * TASKS);
  const tenant = (index: number) => ({ 'X-Scope-OrgID': `tenant-${index}` });
  await write(
    penstock,
    Array.from({ length: TENANTS }, (_, index) => seriesRecord(index, series, tenant(index))),
  );
  await penstock.workersDone();

  const records = await penstock.read(penstock.topic('all'));
  const byTenant = Map.groupBy(records, (record) => headerOf(record, 'X-Scope-OrgID'));
  assert.equal(byTenant.size, TENANTS);
  for (const [id, own] of byTenant) {
    const { samples, repeated } = samplesOf(own);
    assert.deepEqual([samples.size, repeated], [series.length, 0], id);
  }
  assert.ok(records.length > 2 * STEP_LIMITS.outputs, `${records.length} records: the limit is not met`);
  const most = Math.max(...recordsOfSteps(records));
  assert.ok(most <= STEP_LIMITS.outputs + TASKS, `a transaction of ${most} records`);
  const peak = memoryMib(pid, 'VmHWM');
  assert.ok(peak < before + MOST_MIB, `${before} ▸ ${peak} MiB resident`);
  assert.equal((await process.stop()).code, 0);
});

test('records of a thousand bad lines each, and a short transaction timeout: each line is in one dead letter', async () => {
  await using penstock = await deploy(1, { transaction_timeout: '10s' });
  const lines = (record: number) => Array.from({ length: 1_000 }, (_, line) => `bad-${record}-${line}`);
  const all = Array.from({ length: 200 }, (_, record) => lines(record));
  const headers = { 'content-type': 'application/x-graphite' };
  await write(
    penstock,
    all.map((each) => ({ value: Buffer.from(`${each.join('\n')}\n`), headers })),
  );
  const good = seriesRecord(0, ['behind_them']);
  await write(penstock, [good]);
  const { process } = await penstock.start(['worker']);
  await penstock.workersDone();

  const dead = await penstock.read(penstock.dead);
  const kept = dead.flatMap(({ value }) => value!.toString().split('\n')).filter((line) => line !== '');
  assert.equal(kept.length, 200_000);
  assert.deepEqual(new Set(kept), new Set(all.flat()));
  assert.equal(samplesOf(await penstock.read(penstock.topic('all'))).samples.size, 1);
  assert.doesNotMatch(process.log(), /"level":"?(?:error|50)/);
  assert.equal((await process.stop()).code, 0);
});

test('a record that makes the code throw is one dead letter; those around it arrive once', async () => {
  await using penstock = await deploy(4);
  const { worker: settings, registry, ...config } = loadConfig({ file: penstock.configFile, env: {} });
  const routes = compileRoutes(config).map(thatThrowsAt('boom'));
  const metrics = new Metrics();
  const worker = new Worker(
    penstock.connection,
    { worker: settings, registry, routes },
    metrics,
    createLog('silent', 'test'),
  );
  const all = Array.from({ length: 50 }, (_, index) =>
    seriesRecord(index, index === 20 ? ['before_boom', 'boom', 'behind_boom'] : [`series_${index}`, 'all']),
  );
  try {
    await worker.start();
    await write(penstock, all);
    await penstock.workersDone();
  } finally {
    await worker.stop(performance.now() + 10_000);
  }

  const dead = await penstock.read(penstock.dead);
  assert.deepEqual(
    dead.map((letter) => [headerOf(letter, 'penstock-reason'), headerOf(letter, 'penstock-source')]),
    [['defect', `${penstock.raw}/0/20`]],
  );
  assert.deepEqual(dead[0]!.value, all[20]!.value, 'the record as received');
  const { samples } = samplesOf(await penstock.read(penstock.topic('all')));
  const found = [...samples.keys()].map((key) => /series_\d+/.exec(key)?.[0]).filter(Boolean);
  assert.equal(found.length, 49);
  assert.ok(![...samples.keys()].some((key) => key.includes('boom')), 'nothing of it was sent on');
  const counted = (await penstock.read(penstock.topic('all'))).reduce(
    (sum, record) => sum + Number(headerOf(record, 'penstock-samples')),
    0,
  );
  assert.equal(counted, 49 * 2, 'each once');
  assert.match(await metrics.registry.metrics(), /^penstock_defects_total\{.*\} 1$/m);
});

/** The route with a defect: its relabeling throws when it meets a series of that name. */
function thatThrowsAt(name: string): (route: CompiledRoute) => CompiledRoute {
  return (route) => ({
    ...route,
    hasRules: true,
    relabeler: {
      ...route.relabeler,
      apply: (labels) => {
        if (labels.some(({ value }) => value === name)) throw new TypeError('nobody foresaw this');
        return route.relabeler.apply(labels);
      },
    },
  });
}
