import { errorMessage } from '../../src/model/errors.ts';
import { sleep } from '../../src/model/sleep.ts';
import type { KafkaNode } from '../support/servers/kafka.ts';
import { type ChaosCluster, SPARE_WORKER } from './cluster.ts';
import type { Fault, FaultKind } from './plan.ts';

/** A fault that was carried out. Milliseconds since the epoch. */
export interface DoneFault {
  readonly kind: FaultKind;
  readonly target: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a slow vmagent takes for a request, in ms. Less than a drain waits. */
const SLOW_MS = 1_500;
const IN_SYNC_TIMEOUT_MS = 90_000;
const LOOK_EVERY_MS = 500;

/**
 * Carries out a plan. Faults of different targets overlap; those of one target come one after the other, and of
 * the brokers only one is ever away.
 */
export class FaultRunner {
  readonly done: DoneFault[] = [];
  /** Why a fault could not be carried out: then the run proves nothing. */
  readonly errors: string[] = [];
  #running = 0;
  readonly #cluster: ChaosCluster;
  /** The end of the last fault of a target. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(cluster: ChaosCluster) {
    this.#cluster = cluster;
  }

  /** Faults that are in force now. */
  get running(): number {
    return this.#running;
  }

  /** Resolves `durationMs` after the call, when the last fault is over. What could not begin by then is left out. */
  async run(plan: readonly Fault[], durationMs: number): Promise<void> {
    const startMs = Date.now();
    const all: Promise<void>[] = [];
    for (const fault of plan) {
      await sleep(Math.max(0, startMs + fault.atMs - Date.now()));
      const key = fault.target.startsWith('broker') ? 'brokers' : fault.target;
      const before = this.#last.get(key) ?? Promise.resolve();
      const end = before.then(() => this.#carryOut(fault, startMs + durationMs));
      this.#last.set(key, end);
      all.push(end);
    }
    await sleep(Math.max(0, startMs + durationMs - Date.now()));
    await Promise.all(all);
  }

  async #carryOut({ kind, target, forMs }: Fault, endMs: number): Promise<void> {
    try {
      if (Date.now() > endMs) return;
      if (target.startsWith('broker')) await this.#brokersInSync();
      const fromMs = Date.now();
      await this.#counted(this.#act(kind, target, forMs));
      this.done.push({ kind, target, fromMs, toMs: Date.now() });
    } catch (error) {
      const [what] = errorMessage(error).split('\n'); // the rest is the log of a server
      this.errors.push(`${kind} of ${target}: ${what}`);
    }
  }

  async #counted(fault: Promise<void>): Promise<void> {
    this.#running += 1;
    try {
      await fault;
    } finally {
      this.#running -= 1;
    }
  }

  #act(kind: FaultKind, target: string, forMs: number): Promise<void> {
    switch (kind) {
      case 'worker SIGKILL':
      case 'drain SIGKILL':
        return this.#replace(target, 'kill', forMs);
      case 'worker stop':
      case 'drain stop':
      case 'workers scaled in':
      case 'drains scaled in':
        return this.#replace(target, 'stop', forMs);
      case 'workers scaled out':
        return this.#scaleOut(forMs);
      case 'worker SIGSTOP':
      case 'drain SIGSTOP':
        return freeze(this.#cluster.slot(target), forMs);
      case 'broker SIGKILL':
        return this.#restartBroker(target, 'kill', forMs);
      case 'broker stop':
        return this.#restartBroker(target, 'stop', forMs);
      case 'broker SIGSTOP':
        return freeze(this.#broker(target), forMs);
      case 'vmagent SIGKILL':
        return this.#restartVmagent(target, 'kill', forMs);
      case 'vmagent stop':
        return this.#restartVmagent(target, 'stop', forMs);
      case 'vmagent SIGSTOP':
        return freeze(this.#cluster.node(target).agent, forMs);
      default:
        return this.#trouble(kind, target, forMs);
    }
  }

  async #replace(target: string, how: 'kill' | 'stop', forMs: number): Promise<void> {
    const slot = this.#cluster.slot(target);
    await slot[how]();
    await sleep(forMs);
    slot.start();
  }

  async #scaleOut(forMs: number): Promise<void> {
    const slot = this.#cluster.slot(SPARE_WORKER);
    slot.start();
    await sleep(forMs);
    await slot.stop();
  }

  async #restartBroker(target: string, how: 'kill' | 'stop', forMs: number): Promise<void> {
    const broker = this.#broker(target);
    await broker[how]();
    await sleep(forMs);
    await broker.start();
  }

  #broker(target: string): KafkaNode {
    return this.#cluster.kafka.node(Number(target.split('-')[1]));
  }

  async #restartVmagent(target: string, how: 'kill' | 'stop', forMs: number): Promise<void> {
    const { agent } = this.#cluster.node(target);
    await agent[how]();
    await sleep(forMs);
    await agent.start();
  }

  async #trouble(kind: FaultKind, target: string, forMs: number): Promise<void> {
    const { gate } = this.#cluster.node(target);
    if (kind === 'vmagent unreachable') gate.cut();
    else if (kind === 'vmagent slow') gate.mode = { kind: 'slow', delayMs: SLOW_MS };
    else gate.mode = { kind: 'status', status: 503 };
    await sleep(forMs);
    gate.mode = { kind: 'open' };
  }

  async #brokersInSync(): Promise<void> {
    const deadline = Date.now() + IN_SYNC_TIMEOUT_MS;
    while (!(await this.#cluster.replicasInSync().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`replicas were not in sync after ${IN_SYNC_TIMEOUT_MS} ms`);
      await sleep(LOOK_EVERY_MS);
    }
  }
}

async function freeze(process: { pause(): void; resume(): void }, forMs: number): Promise<void> {
  process.pause();
  await sleep(forMs);
  process.resume();
}
