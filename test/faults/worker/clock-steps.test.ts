import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOUR_MS, TestClock } from '../../lab/clock.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { type Running, readiness } from '../../lab/deployment/running.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { poll } from '../../lab/process.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { API, startProxiedKafka } from '../../support/kafka-proxy.ts';

const PARTITIONS = 2;
const SERIES = 20;
const START_MS = 1_760_000_000_000;
/** Longer than a session: a member that sends no heartbeats is evicted meanwhile. */
const SESSION_PASSES_MS = 7_000;
/** Far less than an hour, and generous: CI may be busy. */
const PATIENT = { timeoutMs: 60_000 };
const STOP_DEADLINE_MS = 30_000;

const { proxy, kafka, brokers } = await startProxiedKafka('worker-clock');
closeAfterTests(kafka, proxy);

/** A deployment under load, and the truth about it. */
async function underLoad() {
  const penstock = await Deployment.create({
    brokers,
    rawPartitions: PARTITIONS,
    routes: [{ name: 'all', task: { labels: ['service'], count: 2 } }],
  });
  const series = trueSeries(SERIES);
  const ending = new AbortController();
  let rounds = 0;
  const load = (async () => {
    while (!ending.signal.aborted) {
      const bodies = [series.slice(0, SERIES / 2), series.slice(SERIES / 2)].map((half) =>
        scrape(half, START_MS + rounds * 1_000, rounds),
      );
      await Promise.all(bodies.map((body, partition) => penstock.produce([body], partition)));
      rounds += 1;
      await sleep(100, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();
  const committed = async () => {
    const offsets = await penstock.admin.committedOffsets(penstock.group, penstock.raw);
    return Array.from({ length: PARTITIONS }, (_, partition) => offsets.get(partition) ?? 0n);
  };
  return {
    penstock,
    /** Resolves when more of every partition is committed. */
    goesOn: async () => {
      const before = await committed();
      await poll(
        async () => (await committed()).every((offset, partition) => offset > before[partition]!),
        PATIENT,
        () => new Error('the workers stand still'),
      );
    },
    /** A session passes, in which every second more of every partition is committed and all workers are ready. */
    async lives(...workers: readonly Running[]): Promise<void> {
      for (const end = performance.now() + SESSION_PASSES_MS; performance.now() < end; await sleep(1_000)) {
        await this.goesOn();
        for (const { admin } of workers) assert.equal((await readiness(admin)).status, 200);
      }
    },
    /** Ends the load. Every sample has to be in the task topic once, and in order. */
    async assertTruth(): Promise<void> {
      ending.abort();
      await load;
      await penstock.workersDone();
      const { samples, repeated, outOfOrder } = samplesOf(await penstock.read(penstock.topic('all')));
      assert.deepEqual(
        { samples: samples.size, repeated, outOfOrder },
        { samples: rounds * SERIES, repeated: 0, outOfOrder: 0 },
      );
    },
    async close(): Promise<void> {
      ending.abort();
      await load;
      await penstock.close();
    },
  };
}

/** Nobody has taken anything from this worker, nor has it from others. */
function assertUndisturbed({ process }: Running): void {
  assert.doesNotMatch(process.log(), /evicted|producer epoch|PRODUCER_FENCED|UNKNOWN_MEMBER_ID/i);
}

describe('a clock that is set while a process runs', { concurrency: true }, () => {
  for (const stepMs of [-HOUR_MS, HOUR_MS]) {
    const direction = stepMs < 0 ? 'back' : 'ahead';

    test(`a clock that steps an hour ${direction} in any state stops no worker, and sets none against another`, async (t) => {
      const at = await underLoad();
      t.after(() => at.close());
      const { penstock } = at;
      const [one, other] = [new TestClock(), new TestClock()];
      let offsetMs = 0;
      const step = () => one.setFor(worker.process.pid, (offsetMs += stepMs));

      // While it starts: the process is there, and has not joined.
      const starting = penstock.start(['worker'], one.env);
      one.set((offsetMs += stepMs));
      const worker = await starting;
      await at.goesOn();

      // While it fetches, and works.
      await step();
      await at.lives(worker);

      // In a transaction, whose end is on its way.
      let release = await proxy.hold(API.endTxn, penstock.group);
      await step();
      release();
      await at.goesOn();

      // In the pause after a step that failed.
      for (let failures = 0; failures < 3; failures += 1) {
        await proxy.cut(API.endTxn, penstock.group, 'request');
        await step();
      }
      await at.goesOn();

      // In a rebalance, which waits for it; and beside a worker with another clock.
      const joins = proxy.hold(API.joinGroup, penstock.group);
      const startsToo = penstock.start(['worker'], other.env);
      release = await joins;
      await step();
      other.set(-offsetMs);
      release();
      const neighbour = await startsToo;
      await at.lives(worker, neighbour);
      for (const each of [worker, neighbour]) assertUndisturbed(each);

      // While it stops, with a transaction open.
      const holding = proxy.hold(API.endTxn, penstock.group);
      release = await holding;
      const stopped = performance.now();
      const exits = [worker, neighbour].map(({ process }) => process.stop({ timeoutMs: STOP_DEADLINE_MS }));
      one.set((offsetMs += stepMs));
      other.set(offsetMs);
      await sleep(500);
      release();
      for (const exit of await Promise.all(exits)) assert.deepEqual(exit, { code: 0, signal: null });
      assert.ok(performance.now() - stopped < STOP_DEADLINE_MS);

      await penstock.start(['worker']);
      await at.assertTruth();
    });
  }
});
