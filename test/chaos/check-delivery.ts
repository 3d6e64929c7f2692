import { type ChaosCluster, REQUEST_TIMEOUT_MS } from './cluster.ts';
import type { DoneFault } from './faults.ts';
import { type Acceptance, bodyId } from './gate.ts';
import type { FaultKind } from './plan.ts';
import type { Problems } from './problems.ts';

/**
 * A vmagent keeps what it has accepted in memory until it has sent it, and loses that with SIGKILL: up to its
 * flush interval, and the time for a request. What it accepted earlier than this before, it has sent: ms that it ran.
 */
const VMAGENT_MEMORY_MS = 5_000;
/** From the decision to kill until the process is gone, at most. */
const KILL_TAKES_MS = 1_000;

/** Faults at which a drain loses its partitions before it can commit. */
const CRASHES: ReadonlySet<FaultKind> = new Set<FaultKind>(['drain SIGKILL', 'drain SIGSTOP']);

/** Holds what vmagents accepted against the task topic. Records come in the order of their partition. */
export class DeliveryCheck {
  /** Requests that a vmagent accepted again: together, and of them those whose earlier answer a drain had received. */
  repeats = 0;
  repeatsAfterAnswer = 0;
  /** Most repeats of one partition, and most that its node's faults allow. */
  worst = { repeats: 0, bound: 0, task: -1 };
  readonly #cluster: ChaosCluster;
  readonly #faults: readonly DoneFault[];
  readonly #problems: Problems;
  readonly #repeatsOf = new Map<number, number>();
  readonly #lastFirst = new Map<number, number>();

  constructor(cluster: ChaosCluster, faults: readonly DoneFault[], problems: Problems) {
    this.#cluster = cluster;
    this.#faults = faults;
    this.#problems = problems;
  }

  /** @returns whether a SIGKILL of the vmagent may have taken the record out of its memory. */
  visit(task: number, offset: string, value: Buffer): boolean {
    const where = `task ${task}, offset ${offset}`;
    const owner = this.#cluster.owner(task);
    const id = bodyId(value);
    for (const { name, gate } of this.#cluster.nodes) {
      if (name !== owner.name && gate.accepted.has(id))
        this.#problems.add(
          'vmagent: a record of another node',
          `${where}, owner ${owner.name}, seen by ${name}`,
        );
    }
    const accepted = owner.gate.accepted.get(id);
    if (accepted === undefined) {
      this.#problems.add('vmagent: record was never accepted', where);
      return false;
    }
    this.#count(task, accepted);
    const first = accepted[0]!.atMs;
    if (first < (this.#lastFirst.get(task) ?? 0))
      this.#problems.add('vmagent: record came out of order', where);
    this.#lastFirst.set(task, first);
    return accepted.every(({ atMs }) => this.#killedSoonAfter(owner.name, atMs));
  }

  finish(): void {
    for (const [task, repeats] of this.#repeatsOf) {
      const bound = this.#bound(this.#cluster.owner(task).name);
      if (repeats > this.worst.repeats) this.worst = { repeats, bound, task };
      if (repeats > bound)
        this.#problems.add(
          'vmagent: more repeats than the bound',
          `task ${task}: ${repeats}, bound ${bound}`,
        );
    }
  }

  #count(task: number, accepted: readonly Acceptance[]): void {
    const again = accepted.length - 1;
    this.repeats += again;
    this.repeatsAfterAnswer += accepted.slice(0, -1).filter(({ answered }) => answered).length;
    this.#repeatsOf.set(task, (this.#repeatsOf.get(task) ?? 0) + again);
  }

  #killedSoonAfter(node: string, atMs: number): boolean {
    return this.#faults.some(
      ({ kind, target, fromMs }) =>
        kind === 'vmagent SIGKILL' &&
        target === node &&
        atMs >= fromMs - VMAGENT_MEMORY_MS - this.#stoppedBefore(node, fromMs) &&
        atMs <= fromMs + KILL_TAKES_MS,
    );
  }

  /** While it is stopped it sends nothing. How long that was before its end at `killedMs`, in ms. */
  #stoppedBefore(node: string, killedMs: number): number {
    return this.#faults
      .filter(({ kind, target }) => kind === 'vmagent SIGSTOP' && target === node)
      .filter(({ toMs }) => toMs <= killedMs && toMs > killedMs - VMAGENT_MEMORY_MS)
      .reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  }

  /**
   * Most requests that one partition of a node may have been sent again, given what happened: one for each time
   * that it was lost without a word or moved to another drain, and each that the vmagent did not answer in time.
   */
  #bound(node: string): number {
    const shared = this.#cluster.drainsOf(node).length > 1;
    let bound = this.#cluster.drainsOf(node).reduce((sum, { cutOff }) => sum + cutOff, 0);
    for (const { kind, target, fromMs, toMs } of this.#faults) {
      if (kind.startsWith('broker')) bound += 1;
      else if (kind.startsWith('vmagent') && target === node)
        bound += 1 + Math.ceil((toMs - fromMs) / REQUEST_TIMEOUT_MS);
      else if (kind.startsWith('drain') && this.#cluster.nodeOfDrain(target) === node)
        bound += (CRASHES.has(kind) ? 1 : 0) + (shared ? 1 : 0);
    }
    return bound;
  }
}
