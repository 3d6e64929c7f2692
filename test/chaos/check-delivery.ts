import type { Problems } from '../lab/truth/problems.ts';
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
import { type Repeat, withoutCause } from './repeat-bound.ts';
import type { Span } from './stalls.ts';

/**
 * Running time, in ms, after which a vmagent has sent what it accepted. Until then it is in memory, and lost with
 * SIGKILL: up to the flush interval, and the time for a request. Counted back from the kill, or from the oldest request
 * that storage had not answered by then.
 */
const VMAGENT_MEMORY_MS = 5_000;

/** The nodes, with the accounts of their gates and drains. */
export interface Delivering {
  readonly nodes: readonly {
    readonly name: string;
    readonly gate: { readonly accepted: ReadonlyMap<string, readonly Acceptance[]> };
  }[];
  /** Owners of a task by hash 2, before and after nodes are added. */
  owners(task: number): readonly string[];
  drainsOf(node: string): readonly DrainAccount[];
}

export interface Troubles {
  readonly faults: readonly DoneFault[];
  readonly stalls: readonly Span[];
}

/** Compares what vmagents accepted with the task topic. Records must come in the order of their partition. */
export class DeliveryCheck {
  /** Requests that a vmagent accepted again: all, and those whose earlier answer a drain had received. */
  repeats = 0;
  repeatsAfterAnswer = 0;
  /** Repeats without a crash or hang to explain them, and repeats that no drain has counted. */
  withoutCause = 0;
  uncounted = 0;
  /** The partition with most repeats, and the number of crashes and hangs of its node. */
  worst = { repeats: 0, bound: 0, task: -1 };
  /** Unplanned hangs: evicted drains, with and without a reason, and requests that timed out. */
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

  /** @returns whether the record may have been lost with a vmagent's memory at a SIGKILL */
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
      // Repeats that a slow request explains too come last, so that they do not use up the causes of others.
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

  /** The simple bound over the whole run, whatever the times: for the report of the worst partition. */
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

  /** Time that a vmagent was stopped before its end at `killedMs`, in ms: meanwhile it sends nothing. */
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
