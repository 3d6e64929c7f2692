import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/app/config/load.ts';
import { createOwnership } from '../../src/core/hash/ownership.ts';
import { compileRoutes } from '../../src/core/route/route.ts';
import { drainGroupId } from '../../src/services/drain/assignment.ts';
import type { Deployment } from '../lab/deployment/deployment.ts';
import { aggregationConfig, type MetricsStack, startMetricsStack } from '../lab/deployment/metrics-stack.ts';
import type { Running } from '../lab/deployment/running.ts';
import { poll } from '../lab/process.ts';
import {
  findRelease,
  findVictoria,
  OLDEST_VMAGENT_VERSION,
  type VictoriaBinary,
} from '../lab/servers/victoria-binaries.ts';
import { type ExportedSeries, vmagentHasWindows } from '../lab/servers/victoriametrics.ts';
import { compareAggregates, expectedAggregates } from '../lab/truth/aggregates.ts';
import { NODE_LABEL, placement } from '../lab/truth/stored-samples.ts';
import { produceScrape, RAW_PARTITIONS, Truth } from './aggregated-load.ts';

/**
 * What it is all for: vmagents aggregate what drains bring them, by the rules that are shipped, and only aggregates reach
 * storage. Workers and drains change places meanwhile. Every aggregate is held against the truth. Of the nodes one half is
 * the vmagent that tests use, the other half the oldest that the documents allow, as when it is upgraded node by node.
 *
 * Debian's vmagent cannot aggregate: without Go, docker and a vmagent on PATH nothing of this can be seen.
 */
const INTERVAL_MS = 15_000;
const NODES = ['current-0', 'oldest-0', 'current-1', 'oldest-1'];
/** Those whose drains change places. */
const CHANGING = NODES.slice(0, 2);
const ROUTE = 'services';
/** One a second. */
const SCRAPES_A_WINDOW = 6;
/** On a quiet machine 3 are enough: one without a change, one in which others join and one in which the first leave. */
const MOST_WINDOWS = 20;
/** How long the last window may take to reach storage. */
const FLUSH_MS = 60_000;
const SHOWN_PROBLEMS = 20;

async function startStack(current: VictoriaBinary, oldest: VictoriaBinary): Promise<MetricsStack> {
  const streamAggrConfig = aggregationConfig(INTERVAL_MS);
  return await startMetricsStack({
    nodes: NODES,
    vmagent: (node) => ({
      name: node,
      binary: node.startsWith('current') ? current : oldest,
      streamAggrConfig,
      labels: { [NODE_LABEL]: node },
      extraArgs: ['-remoteWrite.streamAggr.dropInput=true'],
    }),
    rawPartitions: RAW_PARTITIONS,
    worker: { otlp: { use_prometheus_naming: true } },
    routes: [{ name: ROUTE, task: { labels: ['namespace', 'service'], count: 16 } }],
  });
}

type Change = 'nothing' | 'is changing' | 'others joined' | 'the first left';

/**
 * A worker, and a drain of each changing node: others of each join, the first ones leave, and so on. A process may need more
 * than a window to start where the machine is busy; the rest feel it when it joins.
 */
class Staff {
  readonly #penstock: Deployment;
  readonly #shifts: Running[][] = [];
  #last: Change = 'nothing';
  #failure: unknown;

  constructor(penstock: Deployment) {
    this.#penstock = penstock;
  }

  drain(node: string): Promise<Running> {
    return this.#penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: node });
  }

  async join(): Promise<void> {
    const drains = CHANGING.map((node) => this.drain(node));
    this.#shifts.push(await Promise.all([this.#penstock.start(['worker']), ...drains]));
  }

  async leave(): Promise<void> {
    await Promise.all(this.#shifts.shift()!.map(({ process }) => process.stop()));
  }

  /** Begins the next change, unless one is under way. */
  change(): void {
    if (this.#last === 'is changing') return;
    const joining = this.#shifts.length < 2;
    this.#last = 'is changing';
    (joining ? this.join() : this.leave()).then(
      () => (this.#last = joining ? 'others joined' : 'the first left'),
      (error) => (this.#failure = error),
    );
  }

  get last(): Change {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#last;
  }
}

/** Waits until all that was written has been delivered. */
async function delivered(penstock: Deployment, owner: TaskOwner): Promise<void> {
  await penstock.workersDone();
  const topic = penstock.topic(ROUTE);
  for (const node of NODES) {
    await penstock.noLag(drainGroupId(topic, node), topic, (task) => owner(task) === node);
  }
}

type TaskOwner = (task: number) => string;

function taskOwner({ configFile }: Deployment): TaskOwner {
  const config = loadConfig({ file: configFile, env: {} });
  const [route] = compileRoutes(config);
  const ownership = createOwnership([route!], NODES, config.ownership);
  return (task) => ownership.owner(route!.topic, task, 0);
}

/**
 * Runs load and changes of staff, and returns the ends of the windows whose aggregates must be right.
 *
 * What comes for a window that has closed vmagent drops: a host that needs a whole window for what was written in six seconds
 * shows nothing. So a window counts when all of its samples were delivered before its end, and those of the one before, in which
 * its rates begin. It goes on until one counts in which the first ones left to the others what they had; where the host is
 * slow, that needs several tries.
 */
async function perform(stack: MetricsStack, truth: Truth, say: (line: string) => void): Promise<Set<number>> {
  const { penstock } = stack;
  const owner = taskOwner(penstock);
  const staff = new Staff(penstock);
  const staying = NODES.filter((node) => !CHANGING.includes(node));
  await Promise.all([staff.join(), ...staying.map((node) => staff.drain(node))]);
  const counted = new Set<number>();
  const seen = new Set<Change>();
  let scrapes = 0;
  let wasInTime = true;
  for (let windows = 0; !seen.has('the first left'); windows += 1) {
    assert.ok(windows < MOST_WINDOWS, `in ${windows} windows a change and its delivery took too long`);
    const end = await nextWindow();
    if (windows > 0) staff.change();
    for (let n = 0; n < SCRAPES_A_WINDOW; n += 1, scrapes += 1) {
      await sleep(Math.max(0, end - INTERVAL_MS + n * 1000 + 100 - Date.now()));
      await produceScrape(penstock, scrapes, truth);
    }
    const { last } = staff;
    await delivered(penstock, owner);
    const leftMs = end - Date.now();
    say(`window to ${end}: ${last}; all was delivered ${leftMs} ms before its end`);
    if (leftMs > 0 && wasInTime) {
      counted.add(end);
      seen.add(last);
    }
    wasInTime = leftMs > 0;
  }
  return counted;
}

/** Waits for the beginning of a window, and resolves to its end. */
async function nextWindow(): Promise<number> {
  const begin = Math.ceil(Date.now() / INTERVAL_MS) * INTERVAL_MS;
  await sleep(begin - Date.now());
  return begin + INTERVAL_MS;
}

async function storedAggregates({ storage }: MetricsStack): Promise<ExportedSeries[]> {
  await storage.flush();
  return await storage.exportSeries('{__name__!=""}');
}

const current = await findVictoria('vmagent');
const oldest = (await findRelease('vmagent', OLDEST_VMAGENT_VERSION)) ?? current;
const skip = vmagentHasWindows(current.version)
  ? false
  : `vmagent ${current.version} has no windows of stream aggregation`;

test(`the shipped rules behind drains that come and go give the true aggregates, with vmagent ${current.version} and ${oldest.version}`, {
  skip,
}, async (t) => {
  const stack = await startStack(current, oldest);
  try {
    const truth = new Truth();
    const windows = {
      ends: await perform(stack, truth, (line) => t.diagnostic(line)),
      intervalMs: INTERVAL_MS,
    };
    const place = placement(loadConfig({ file: stack.penstock.configFile, env: {} }));
    const expected = expectedAggregates(truth.placed(place), windows);
    // Everything that is wrong is shown, once nothing more comes.
    let verdict = compareAggregates(expected, await storedAggregates(stack), windows);
    await poll(
      async () => {
        verdict = compareAggregates(expected, await storedAggregates(stack), windows);
        return verdict.equal === verdict.expected;
      },
      { timeoutMs: FLUSH_MS },
      () => new Error('wrong'),
    ).catch(() => undefined);
    const right = `${verdict.equal} of ${verdict.expected} aggregates are right`;
    assert.deepEqual(verdict.problems.slice(0, SHOWN_PROBLEMS), [], right);
    t.diagnostic(right);
    const stored = await storedAggregates(stack);
    const raw = stored.filter(
      ({ metric }) => !metric['__name__']?.includes(':') || metric['pod'] !== undefined,
    );
    assert.deepEqual(raw, [], 'only aggregates, without pods');
    const nodes = new Set(stored.map(({ metric }) => metric[NODE_LABEL]!));
    // The topic's name decides which tasks a node has: those of one node may have no service at all.
    const owner = taskOwner(stack.penstock);
    const due = new Set(stored.map(({ metric }) => owner(Number(metric['stream_task_id']))));
    assert.deepEqual([...nodes].sort(), [...due].sort(), 'each node has aggregated its tasks');
    for (const version of ['current', 'oldest'])
      assert.ok(
        [...nodes].some((node) => node.startsWith(version)),
        `a vmagent of the ${version} version`,
      );
  } finally {
    await stack.close();
  }
});
