import { type ChaosCluster, REQUEST_TIMEOUT_MS } from './cluster.ts';
import type { DoneFault } from './faults.ts';
import type { Acceptance } from './gate.ts';
import type { FaultKind } from './plan.ts';

/** Each of these ends or hangs a drain, or hangs or cuts off the vmagent: what was in flight is sent once more. */
const CRASHES: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'drain SIGKILL',
  'drain SIGSTOP',
  'vmagent SIGKILL',
  'vmagent SIGSTOP',
  'vmagent unreachable',
]);
/** A drain finds out this long after it was woken, at most, that it was given up. */
const FINDS_OUT_MS = 30_000;
/** Clocks of the drain and the gate around one request. */
const SLACK_MS = 500;

/**
 * Most requests that one partition may have been sent again: one for each crash or hang of its vmagent, or of a drain
 * of its node. Nothing else repeats: no clean stop, no rebalance, no broker, no answer of 503.
 *
 * A machine that is busy with other work makes processes hang too. Those are counted as what they were: a drain says
 * when it was evicted, and the gate knows which requests took too long.
 */
export class RepeatBound {
  readonly #cluster: ChaosCluster;
  readonly #faults: readonly DoneFault[];
  readonly #ofNode = new Map<string, { planned: number; evictions: number }>();

  constructor(cluster: ChaosCluster, faults: readonly DoneFault[]) {
    this.#cluster = cluster;
    this.#faults = faults;
    for (const { name } of cluster.nodes) this.#ofNode.set(name, this.#count(name));
  }

  /** Drains that lost their partitions outside of the plan's own crashes and hangs of them. */
  get evictions(): number {
    return [...this.#ofNode.values()].reduce((sum, { evictions }) => sum + evictions, 0);
  }

  /** @param slow requests of the partition that `isSlow` */
  of(node: string, slow: number): number {
    const { planned, evictions } = this.#ofNode.get(node)!;
    return planned + evictions + slow;
  }

  /** Whether the drain gave a request up although nothing of the plan held it. */
  isSlow(node: string, { fromMs, atMs, answered }: Acceptance): boolean {
    if (answered || atMs - fromMs < REQUEST_TIMEOUT_MS - SLACK_MS) return false;
    return !this.#faults.some(
      (fault) =>
        CRASHES.has(fault.kind) &&
        this.#nodeOf(fault) === node &&
        fault.fromMs <= atMs + SLACK_MS &&
        fault.toMs >= fromMs - SLACK_MS,
    );
  }

  #count(node: string): { planned: number; evictions: number } {
    let planned = this.#faults.filter(
      (fault) => CRASHES.has(fault.kind) && this.#nodeOf(fault) === node,
    ).length;
    let evictions = 0;
    for (const drain of this.#cluster.drainsOf(node)) {
      planned += drain.cutOff;
      const stopped = this.#faults.filter(
        ({ kind, target }) => kind === 'drain SIGSTOP' && target === drain.name,
      );
      const isPlanned = (atMs: number) =>
        stopped.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs + FINDS_OUT_MS);
      evictions += drain.hangs().filter((atMs) => !isPlanned(atMs)).length;
    }
    return { planned, evictions };
  }

  #nodeOf({ kind, target }: DoneFault): string {
    return kind.startsWith('drain') ? this.#cluster.nodeOfDrain(target) : target;
  }
}
