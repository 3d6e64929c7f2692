import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { readiness } from '../../lab/deployment/running.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { poll } from '../../lab/process.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { API, startProxiedKafka } from '../../support/kafka-proxy.ts';

const START_MS = 1_760_000_000_000;
/** A minute without a commit is the limit; CI may be busy. */
const PATIENT = { timeoutMs: 180_000 };

const { proxy, kafka, brokers } = await startProxiedKafka('worker-watchdog');
const penstock = await Deployment.create({
  brokers,
  routes: [{ name: 'all', task: { labels: ['service'], count: 2 } }],
});
closeAfterTests(penstock, kafka, proxy);

test('a worker that cannot publish while there is lag is not ready and says why; it is again when it goes on', async () => {
  const { admin, process } = await penstock.start(['worker']);
  const series = trueSeries(10);
  await penstock.produce([scrape(series, START_MS, 0)]);
  await penstock.workersDone();

  const ending = new AbortController();
  const cutting = cutTransactions(ending.signal);
  await penstock.produce([1, 2, 3].map((round) => scrape(series, START_MS + round, round)));
  await process.waitForLog(/"msg":"a step failed and is tried again from the committed offset"/);
  assert.equal((await readiness(admin)).status, 200, 'it has not stood still for long');
  await poll(
    async () => (await readiness(admin)).status === 503,
    PATIENT,
    () => new Error('the worker stays ready'),
  );
  const expected = new RegExp(`${penstock.raw}/0 has 3 records to read and no commit for \\d+ s`);
  assert.match((await readiness(admin)).text, expected);

  ending.abort();
  await poll(
    async () => (await readiness(admin)).status === 200,
    PATIENT,
    () => new Error('the worker stays not ready'),
  );
  await penstock.workersDone();
  await cutting;
  assert.deepEqual(await process.stop(), { code: 0, signal: null });
});

/** No transaction of the worker comes to its end, until `signal`; one more that begins then. */
async function cutTransactions(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await proxy.cut(API.endTxn, penstock.group, 'request');
}
