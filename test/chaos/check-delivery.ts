import {
  arrivedMs,
  causesOf,
  type DrainAccount,
  isSlow,
  KILL_TAKES_MS,
  type NodeCauses,
  type PossibleRepeat,
  SLACK_MS,
} from './causes.ts';
import type { DoneFault } from './faults.ts';
import { type Acceptance, bodyId } from './gate.ts';
import type { Problems } from './problems.ts';
import { type Repeat, withoutCause } from './repeat-bound.ts';
import type { Span } from './stalls.ts';

/**
 * A vmagent keeps what it has accepted in memory until it has sent it, and loses that with SIGKILL: up to its
 * flush interval, and the time for a request. What it accepted earlier than this before its end, or before the request
 * that storage owed it an answer to then, it has sent: ms that it ran.
 */
const VMAGENT_MEMORY_MS = 5_000;

/** The nodes, and what the gates before them and their drains know. */
export interface Delivering {
  readonly nodes: readonly {
    readonly name: string;
    readonly gate: { readonly accepted: ReadonlyMap<string, readonly Acceptance[]> };
  }[];
  /** The nodes that hash 2 gives a task to, before and after nodes are added. */
  owners(task: number): readonly string[];
  drainsOf(node: string): readonly DrainAccount[];
}

export interface Troubles {
  readonly faults: readonly DoneFault[];
  readonly stalls: readonly Span[];
}

/** Holds what vmagents accepted against the task topic. Records come in the order of their partition. */
export class DeliveryCheck {
  /** Requests that a vmagent accepted again: together, and of them those whose earlier answer a drain had received. */
  repeats = 0;
  repeatsAfterAnswer = 0;
  /** Those that no crash or hang explains, and those that no drain has counted. */
  withoutCause = 0;
  uncounted = 0;
  /** Most repeats of one partition, and the crashes and hangs that its node had. */
  worst = { repeats: 0, bound: 0, task: -1 };
  /** Hangs that were not of the plan: drains evicted, with and without a reason, and requests that took too long. */
  readonly unplanned = { evictions: 0, unexplained: 0, slow: 0 };
  readonly #deployment: Delivering;
  readonly #troubles: Troubles;
  readonly #problems: Problems;
  readonly #causes: ReadonlyMap<string, NodeCauses>;
  readonly #possible: ReadonlyMap<string, readonly PossibleRepeat[]>;
  readonly #repeatsOf = new Map<number, Repeat[]>();
  readonly #lastFirst = new Map<number, number>();

  constructor(deployment: Delivering, troubles: Troubles, problems: Problems) {
    this.#deployment = deployment;
    this.#troubles = troubles;
    this.#problems = problems;
    const { faults, stalls } = troubles;
    const drains = new Map(deployment.nodes.map(({ name }) => [name, deployment.drainsOf(name)]));
    this.#causes = new Map([...drains].map(([name, of]) => [name, causesOf(name, of, faults, stalls)]));
    for (const { evictions, unexplained } of this.#causes.values()) {
      this.unplanned.evictions += evictions;
      this.unplanned.unexplained += unexplained;
    }
    this.#possible = joined([...drains.values()].flat().map(({ possibleRepeats }) => possibleRepeats));
  }

  /** @returns whether a SIGKILL of the vmagent may have taken the record out of its memory. */
  visit(task: number, offset: string, value: Buffer): boolean {
    const where = `task ${task}, offset ${offset}`;
    const owners = this.#deployment.owners(task);
    const id = bodyId(value);
    const accepted: (Acceptance & { readonly node: string })[] = [];
    for (const { name, gate } of this.#deployment.nodes) {
      const here = gate.accepted.get(id) ?? [];
      if (owners.includes(name)) accepted.push(...here.map((each) => ({ ...each, node: name })));
      else if (here.length > 0)
        this.#problems.add('vmagent: a record of another node', `${where}, owner ${owners}, seen by ${name}`);
    }
    accepted.sort((a, b) => a.fromMs - b.fromMs);
    if (accepted.length === 0) {
      this.#problems.add('vmagent: record was never accepted', where);
      return false;
    }
    this.#count(task, offset, accepted);
    const first = Math.min(...accepted.map(({ atMs }) => atMs));
    if (first < (this.#lastFirst.get(task) ?? 0))
      this.#problems.add('vmagent: record came out of order', where);
    this.#lastFirst.set(task, first);
    return accepted.every(({ node, atMs }) => this.#killedSoonAfter(node, atMs));
  }

  finish(): void {
    for (const [task, repeats] of this.#repeatsOf) {
      const causes = this.#deployment.owners(task).flatMap((node) => this.#causes.get(node)!.causes);
      // Those that a slow request explains as well come last: the causes are for the others first.
      const inOrder = repeats.toSorted((a, b) => Number(a.slow) - Number(b.slow));
      const left = withoutCause(inOrder, causes);
      for (const repeat of left) if (!repeat.slow) this.#refuse(repeat);
      const slow = left.filter((repeat) => repeat.slow).length;
      this.unplanned.slow += slow;
      this.#bound(task, repeats.length, causes.length + slow);
    }
  }

  #refuse({ where, fromMs, toMs, answered }: Repeat): void {
    this.withoutCause += 1;
    this.#problems.add(
      'vmagent: a repeat that no crash or hang explains',
      `${where}: ${clock(fromMs)} (${answered ? 'answered' : 'not answered'}) and again ${clock(toMs)}`,
    );
  }

  /** The plain bound over the whole run, whatever the times: it says how far from it the worst partition was. */
  #bound(task: number, repeats: number, bound: number): void {
    if (repeats > this.worst.repeats) this.worst = { repeats, bound, task };
    if (repeats > bound)
      this.#problems.add('vmagent: more repeats than the bound', `task ${task}: ${repeats}, bound ${bound}`);
  }

  #count(task: number, offset: string, accepted: readonly Acceptance[]): void {
    const said = this.#possible.get(`${task}/${offset}`) ?? [];
    const words = said.map(({ atMs, reason }) => `${reason} at ${clock(atMs)}`).join(', ');
    const where = `task ${task}, offset ${offset} (its drains: ${words})`;
    const unanswered = said.filter(({ reason }) => reason === 'unanswered').map(({ atMs }) => atMs);
    const repeats = this.#repeatsOf.get(task) ?? [];
    this.#repeatsOf.set(task, repeats);
    for (const [index, { fromMs: toMs }] of accepted.slice(1).entries()) {
      const before = accepted[index]!;
      const fromMs = arrivedMs(before.fromMs, this.#troubles.stalls);
      const between = unanswered.filter((ms) => ms >= fromMs - SLACK_MS && ms <= toMs + SLACK_MS);
      const slow = isSlow(before, between, this.#troubles.stalls);
      this.repeats += 1;
      if (before.answered) this.repeatsAfterAnswer += 1;
      repeats.push({ where, fromMs, toMs, answered: before.answered && !slow, slow });
    }
    const missing = Math.max(0, accepted.length - 1 - said.length);
    if (missing === 0) return;
    this.uncounted += missing;
    this.#problems.add('vmagent: a repeat that no drain counted', `${where}: ${missing}`);
  }

  #killedSoonAfter(node: string, atMs: number): boolean {
    return this.#troubles.faults.some(
      ({ kind, target, fromMs, sendingSinceMs = fromMs }) =>
        kind === 'vmagent SIGKILL' &&
        target === node &&
        atMs >= sendingSinceMs - VMAGENT_MEMORY_MS - this.#stoppedBefore(node, fromMs) &&
        atMs <= fromMs + KILL_TAKES_MS,
    );
  }

  /** While it is stopped it sends nothing. How long that was before its end at `killedMs`, in ms. */
  #stoppedBefore(node: string, killedMs: number): number {
    return this.#troubles.faults
      .filter(({ kind, target }) => kind === 'vmagent SIGSTOP' && target === node)
      .filter(({ toMs }) => toMs <= killedMs && toMs > killedMs - VMAGENT_MEMORY_MS)
      .reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  }
}

function joined<T>(maps: readonly ReadonlyMap<string, readonly T[]>[]): Map<string, readonly T[]> {
  const all = new Map<string, readonly T[]>();
  for (const [key, list] of maps.flatMap((map) => [...map])) all.set(key, [...(all.get(key) ?? []), ...list]);
  return all;
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11);
}
