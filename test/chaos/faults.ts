import { setTimeout as sleep } from 'node:timers/promises';
import { HOUR_MS } from '../lab/clock.ts';
import type { KafkaNode } from '../lab/servers/kafka.ts';
import { type ChaosCluster, DRAIN_NAMES, SPARE_WORKER } from './cluster.ts';
import type { Fault, FaultKind } from './plan.ts';
import type { TrueProducer } from './producer.ts';

/** A fault that was carried out. Milliseconds since the epoch. */
export interface DoneFault {
  readonly kind: FaultKind;
  readonly target: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** It hit a process that had joined, or a request. Otherwise it proves nothing. */
  readonly hit: boolean;
  /** For a SIGKILL of a vmagent: start of its oldest request that storage had not answered, if any. */
  readonly sendingSinceMs?: number | undefined;
}

/** Time of a slow vmagent for a request, in ms. Less than the timeout of a drain. */
const SLOW_MS = 1_500;
const IN_SYNC_TIMEOUT_MS = 90_000;
const LOOK_EVERY_MS = 500;

/**
 * Carries out a plan. Faults of different targets overlap; those of one target come one after the other, and at most
 * one broker is down at a time.
 */
export class FaultRunner {
  readonly done: DoneFault[] = [];
  /** Faults that could not be carried out, and why: the run then proves nothing. */
  readonly errors: string[] = [];
  #running = 0;
  readonly #cluster: ChaosCluster;
  readonly #producer: Pick<TrueProducer, 'write'>;
  /** The end of the last fault of a target. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(cluster: ChaosCluster, producer: Pick<TrueProducer, 'write'>) {
    this.#cluster = cluster;
    this.#producer = producer;
  }

  /** Kinds that have hit something. */
  get kinds(): ReadonlySet<FaultKind> {
    return new Set(this.done.filter(({ hit }) => hit).map(({ kind }) => kind));
  }

  /** Number of faults in force now. */
  get running(): number {
    return this.#running;
  }

  /**
   * Resolves `durationMs` after the call, when the last fault is over. Faults that could not begin by then are left
   * out, unless none of their kind has happened yet.
   */
  async run(plan: readonly Fault[], durationMs: number): Promise<void> {
    const startMs = Date.now();
    const all: Promise<void>[] = [];
    for (const fault of plan) {
      await sleep(Math.max(0, startMs + fault.atMs - Date.now()));
      const concerned = concernedBy(fault);
      const before = Promise.all(concerned.map((target) => this.#last.get(target)));
      const end = before.then(() => this.#carryOut(fault, startMs + durationMs));
      for (const target of concerned) this.#last.set(target, end);
      all.push(end);
    }
    await sleep(Math.max(0, startMs + durationMs - Date.now()));
    await Promise.all(all);
  }

  async #carryOut({ kind, target, forMs }: Fault, endMs: number): Promise<void> {
    try {
      if (Date.now() > endMs && this.kinds.has(kind)) return;
      if (target.startsWith('broker')) await this.#brokersInSync();
      const fromMs = Date.now();
      const sendingSinceMs =
        kind === 'vmagent SIGKILL' ? this.#cluster.node(target).storageGate.unansweredSinceMs : undefined;
      const hit = await this.#counted(this.#act(kind, target, forMs));
      this.done.push({ kind, target, fromMs, toMs: Date.now(), hit, sendingSinceMs });
      // The next fault should hit a process that has joined; without one it counts as missed.
      if (this.#cluster.slots.has(target)) await this.#cluster.slot(target).ready();
    } catch (error) {
      const [what] = String(error).split('\n'); // the rest is the log of a server
      this.errors.push(`${kind} of ${target}: ${what}`);
    }
  }

  async #counted(fault: Promise<boolean>): Promise<boolean> {
    this.#running += 1;
    try {
      return await fault;
    } finally {
      this.#running -= 1;
    }
  }

  /** Resolves to whether it hit something. */
  #act(kind: FaultKind, target: string, forMs: number): Promise<boolean> {
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
        return this.#freeze(target, forMs);
      case 'worker clock steps':
      case 'drain clock steps':
        return this.#stepClock(target, forMs);
      case 'broker SIGKILL':
        return this.#restartBroker(target, 'kill', forMs);
      case 'broker stop':
        return this.#restartBroker(target, 'stop', forMs);
      case 'broker SIGSTOP':
        return freeze(this.#broker(target), forMs);
      case 'ingest topic grows':
        return this.#growIngestTopic();
      case 'configuration reloaded':
        return this.#cluster.reload();
      case 'nodes added or removed':
        return this.#cluster.changeNodes();
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

  async #replace(target: string, how: 'kill' | 'stop', forMs: number): Promise<boolean> {
    const slot = this.#cluster.slot(target);
    const { joined } = slot;
    await slot[how]();
    await sleep(forMs);
    slot.start();
    return joined;
  }

  async #freeze(target: string, forMs: number): Promise<boolean> {
    const slot = this.#cluster.slot(target);
    const { joined } = slot;
    await freeze(slot, forMs);
    return joined;
  }

  /** Steps the clock an hour ahead or back, and later corrects it: a step in the other direction. */
  async #stepClock(target: string, forMs: number): Promise<boolean> {
    const { clock, joined } = this.#cluster.slot(target);
    clock.set(forMs % 2 === 0 ? HOUR_MS : -HOUR_MS);
    await sleep(forMs);
    clock.set(0);
    return joined;
  }

  async #scaleOut(forMs: number): Promise<boolean> {
    const slot = this.#cluster.slot(SPARE_WORKER);
    slot.start();
    const joined = await slot.ready();
    await sleep(forMs);
    await slot.stop();
    return joined;
  }

  async #restartBroker(target: string, how: 'kill' | 'stop', forMs: number): Promise<boolean> {
    const broker = this.#broker(target);
    await broker[how]();
    await sleep(forMs);
    await broker.start();
    return true;
  }

  #broker(target: string): KafkaNode {
    return this.#cluster.kafka.node(Number(target.split('-')[1]));
  }

  async #growIngestTopic(): Promise<boolean> {
    const partition = await this.#cluster.growIngestTopic();
    if (partition === undefined) return false;
    await this.#producer.write([partition]);
    return true;
  }

  async #restartVmagent(target: string, how: 'kill' | 'stop', forMs: number): Promise<boolean> {
    const { agent } = this.#cluster.node(target);
    await agent[how]();
    await sleep(forMs);
    await agent.start();
    return true;
  }

  async #trouble(kind: FaultKind, target: string, forMs: number): Promise<boolean> {
    const { gate } = this.#cluster.node(target);
    const before = gate.troubled;
    if (kind === 'vmagent unreachable') gate.cut();
    else if (kind === 'vmagent slow') gate.mode = { kind: 'slow', delayMs: SLOW_MS };
    else gate.mode = { kind: 'status', status: 503 };
    await sleep(forMs);
    gate.mode = { kind: 'open' };
    return gate.troubled > before;
  }

  async #brokersInSync(): Promise<void> {
    const deadline = Date.now() + IN_SYNC_TIMEOUT_MS;
    while (!(await this.#cluster.replicasInSync().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`replicas were not in sync after ${IN_SYNC_TIMEOUT_MS} ms`);
      await sleep(LOOK_EVERY_MS);
    }
  }
}

/** Targets that no other fault may use meanwhile. */
function concernedBy({ kind, target }: Fault): readonly string[] {
  if (kind === 'nodes added or removed') return [target, ...DRAIN_NAMES];
  return [target.startsWith('broker') ? 'brokers' : target];
}

async function freeze(process: { pause(): void; resume(): void }, forMs: number): Promise<boolean> {
  process.pause();
  await sleep(forMs);
  process.resume();
  return true;
}
