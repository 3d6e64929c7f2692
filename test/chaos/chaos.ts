import { setTimeout as sleep } from 'node:timers/promises';
import { ChaosCluster } from './cluster.ts';
import { type DoneFault, FaultRunner } from './faults.ts';
import { type FaultKind, planFaults } from './plan.ts';
import { TrueProducer } from './producer.ts';
import { StallWatch } from './stalls.ts';
import { type Verdict, verify } from './verify.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** Duration of the faults, in ms. Start, recovery and verification come on top. */
  readonly durationMs: number;
  /** Progress, a line at a time. */
  readonly say: (line: string) => void;
}

export interface ChaosResult {
  readonly planned: number;
  readonly done: readonly DoneFault[];
  /** Planned kinds that hit nothing: the run proves nothing about them. */
  readonly missed: readonly FaultKind[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly maxLag: { readonly workers: number; readonly drains: number };
  /** Time from the end of the last fault until no record waited, in ms. */
  readonly recoveryMs: number;
  readonly peakMiB: ReadonlyMap<string, number>;
  readonly cutOff: number;
  /** Stalls of the host: their number, and their sum in ms. */
  readonly stalls: { readonly count: number; readonly ms: number };
  readonly verdict: Verdict | undefined;
  /** Empty: everything held. */
  readonly problems: readonly string[];
}

const LIVE_LINE_MS = 10_000;
const OBSERVE_MS = 1_000;
/** Records are still written for this long after the faults: every partition gets some in quiet times. */
const CALM_MS = 5_000;
/** Recovery has failed if the lag does not shrink for this long. */
const NO_PROGRESS_MS = 120_000;
/** A run of at least this length, with workers killed, must have aborted transactions. */
const ABORTS_FROM_MS = 180_000;
/** Most memory of a process, in MiB. */
const MEMORY_BOUND_MIB = { worker: 600, drain: 300 } as const;

/** One run: start, faults while records flow, recovery, verification. */
export async function runChaos({ seed, durationMs, say }: ChaosOptions): Promise<ChaosResult> {
  const plan = planFaults(seed, durationMs);
  say(`seed ${seed}: ${plan.length} faults in ${durationMs / 1000} s; starting the cluster`);
  const cluster = await ChaosCluster.start();
  const producer = await TrueProducer.start(cluster.kafka.brokers, cluster.penstock.raw);
  const faults = new FaultRunner(cluster, producer);
  const watch = new Watch(cluster, faults, producer, say);
  const host = new StallWatch();
  try {
    watch.start();
    host.start();
    await faults.run(plan, durationMs);
    say('the faults are over');
    await sleep(CALM_MS);
    const acknowledged = await producer.stop();
    const quietFrom = Date.now();
    const problems = [...faults.errors];
    if (!(await watch.allDone()))
      problems.push(
        `the lag has not become less for ${NO_PROGRESS_MS / 1000} s after the faults: ${watch.lagText}`,
      );
    const recoveryMs = Date.now() - quietFrom;
    await watch.stop();
    problems.push(...(await cluster.stopAll()));
    host.stop();
    say('verifying');
    const { stalls } = host;
    const verdict = await verify(
      cluster,
      { startMs: producer.startMs, acknowledged },
      { faults: faults.done, stalls },
    );
    if (verdict.aborted === 0 && durationMs >= ABORTS_FROM_MS && faults.kinds.has('worker SIGKILL'))
      problems.push('no transaction was cut: the run proves nothing about them');
    const slots = [...cluster.slots.values()];
    for (const slot of slots) {
      problems.push(...slot.crashes);
      const bound = slot.name.startsWith('worker') ? MEMORY_BOUND_MIB.worker : MEMORY_BOUND_MIB.drain;
      if (slot.peakMiB > bound)
        problems.push(`${slot.name} took ${Math.round(slot.peakMiB)} MiB, bound ${bound}`);
    }
    return {
      planned: plan.length,
      done: faults.done,
      missed: [...new Set(plan.map(({ kind }) => kind))].filter((kind) => !faults.kinds.has(kind)),
      ...(await producer.counts()),
      maxLag: watch.maxLag,
      recoveryMs,
      peakMiB: new Map(slots.map(({ name, peakMiB }) => [name, peakMiB])),
      cutOff: slots.reduce((sum, { cutOff }) => sum + cutOff.length, 0),
      stalls: { count: stalls.length, ms: stalls.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0) },
      verdict,
      problems: [...problems, ...verdict.problems],
    };
  } finally {
    host.stop();
    await watch.stop();
    producer.close();
    await cluster.close();
  }
}

/** Observes the deployment during the faults: lag, processes, memory; and reports from time to time. */
class Watch {
  readonly maxLag = { workers: 0, drains: 0 };
  readonly #cluster: ChaosCluster;
  readonly #faults: FaultRunner;
  readonly #producer: TrueProducer;
  readonly #say: (line: string) => void;
  readonly #startMs = Date.now();
  #lag: Awaited<ReturnType<ChaosCluster['lag']>> | undefined;
  #stopped = false;
  #loop: Promise<void> | undefined;

  constructor(
    cluster: ChaosCluster,
    faults: FaultRunner,
    producer: TrueProducer,
    say: (line: string) => void,
  ) {
    this.#cluster = cluster;
    this.#faults = faults;
    this.#producer = producer;
    this.#say = say;
  }

  get lagText(): string {
    return this.#lag === undefined
      ? 'lag unknown'
      : `lag ${this.#lag.workers} raw, ${this.#lag.nodes.join(' + ')} task records`;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  /** Waits until no record waits for workers or drains. Resolves to false without progress. */
  async allDone(): Promise<boolean> {
    let least = Number.POSITIVE_INFINITY;
    let deadline = Date.now() + NO_PROGRESS_MS;
    while (Date.now() < deadline) {
      const lag = await this.#cluster.lag().catch(() => undefined);
      const left = lag === undefined ? least : lag.workers + lag.drains;
      if (left === 0) return true;
      if (left < least) deadline = Date.now() + NO_PROGRESS_MS;
      least = Math.min(least, left);
      await sleep(500);
    }
    return false;
  }

  async #run(): Promise<void> {
    let next = Date.now() + LIVE_LINE_MS;
    while (!this.#stopped) {
      await sleep(OBSERVE_MS);
      for (const slot of this.#cluster.slots.values()) slot.observe();
      this.#lag = await this.#cluster.lag().catch(() => undefined);
      this.maxLag.workers = Math.max(this.maxLag.workers, this.#lag?.workers ?? 0);
      this.maxLag.drains = Math.max(this.maxLag.drains, this.#lag?.drains ?? 0);
      if (Date.now() < next) continue;
      next += LIVE_LINE_MS;
      await this.#sayState();
    }
  }

  async #sayState(): Promise<void> {
    const { acknowledged, unknown } = await this.#producer.counts();
    const { done, running } = this.#faults;
    const seconds = Math.round((Date.now() - this.#startMs) / 1000);
    this.#say(
      `${String(seconds).padStart(5)} s  faults ${done.length} over, ${running} in force  ` +
        `records ${acknowledged} acknowledged, ${unknown} unknown  ${this.lagText}`,
    );
  }
}
