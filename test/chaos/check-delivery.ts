import type { ChaosCluster } from './cluster.ts';
import type { DoneFault } from './faults.ts';
import { type Acceptance, bodyId } from './gate.ts';
import type { Problems } from './problems.ts';
import { RepeatBound } from './repeat-bound.ts';

/**
 * A vmagent keeps what it has accepted in memory until it has sent it, and loses that with SIGKILL: up to its
 * flush interval, and the time for a request. What it accepted earlier than this before, it has sent: ms that it ran.
 */
const VMAGENT_MEMORY_MS = 5_000;
/** From the decision to kill until the process is gone, at most. */
const KILL_TAKES_MS = 1_000;

/** Holds what vmagents accepted against the task topic. Records come in the order of their partition. */
export class DeliveryCheck {
  /** Requests that a vmagent accepted again: together, and of them those whose earlier answer a drain had received. */
  repeats = 0;
  repeatsAfterAnswer = 0;
  /** Most repeats of one partition, and most that the crashes and hangs of its node allow. */
  worst = { repeats: 0, bound: 0, task: -1 };
  /** Hangs that were not of the plan: drains evicted, and requests that took too long. */
  readonly unplanned = { evictions: 0, slow: 0 };
  readonly #cluster: ChaosCluster;
  readonly #faults: readonly DoneFault[];
  readonly #problems: Problems;
  readonly #bound: RepeatBound;
  readonly #repeatsOf = new Map<number, number>();
  readonly #slowOf = new Map<number, number>();
  readonly #lastFirst = new Map<number, number>();

  constructor(cluster: ChaosCluster, faults: readonly DoneFault[], problems: Problems) {
    this.#cluster = cluster;
    this.#faults = faults;
    this.#problems = problems;
    this.#bound = new RepeatBound(cluster, faults);
    this.unplanned.evictions = this.#bound.evictions;
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
    this.#count(task, owner.name, accepted);
    const first = accepted[0]!.atMs;
    if (first < (this.#lastFirst.get(task) ?? 0))
      this.#problems.add('vmagent: record came out of order', where);
    this.#lastFirst.set(task, first);
    return accepted.every(({ atMs }) => this.#killedSoonAfter(owner.name, atMs));
  }

  finish(): void {
    for (const [task, repeats] of this.#repeatsOf) {
      const bound = this.#bound.of(this.#cluster.owner(task).name, this.#slowOf.get(task) ?? 0);
      if (repeats > this.worst.repeats) this.worst = { repeats, bound, task };
      if (repeats > bound)
        this.#problems.add(
          'vmagent: more repeats than the bound',
          `task ${task}: ${repeats}, bound ${bound}`,
        );
    }
  }

  #count(task: number, node: string, accepted: readonly Acceptance[]): void {
    const slow = accepted.filter((acceptance) => this.#bound.isSlow(node, acceptance)).length;
    this.unplanned.slow += slow;
    this.#slowOf.set(task, (this.#slowOf.get(task) ?? 0) + slow);
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
}
