import { compareByBytes } from './byte-order.ts';
import { NO_SLOT, slotsOf } from './numbered.ts';
import { type TaskIndex, type TaskTopic, taskRanks } from './ranks.ts';
import { divideAmongSlots } from './slot-tasks.ts';

/** What a node may have of all tasks, as a multiple of the mean. */
const MOST_TASKS = 1.15;

const NOBODY = -1;

/** How nodes and tasks see each other. */
interface Preferences {
  /** By node, task ▸ its rank there, from 0 to 1. */
  readonly ranks: readonly Float64Array[];
  /** Task ▸ node that keeps it before others, or NOBODY. */
  readonly home: Int32Array;
}

/**
 * Hash 2 over all topics: rendezvous hashing with bounded load, the tasks and nodes matched by deferred acceptance.
 *
 * Each task asks the nodes in the order of its ranks there (`taskRanks`), the highest first. A node keeps the highest-ranked of
 * those that ask it, as many as it has room for: max(ceil(mean), floor(1.15 mean)). Whom it does not keep asks the next one.
 * The result does not depend on the order in which they ask, nor on that of the nodes. The tasks of one topic have no bound of
 * their own: it would move more, for what the sum does not need.
 *
 * Nodes that are numbered (`slotsOf`) know of each other without a look at the list, and so can do better: the tasks are divided
 * evenly among the numbers, and a task asks the node of its number first, which keeps it before others. A node that comes
 * behind the last one, or goes, or comes back, moves its own tasks and hardly any other.
 *
 * Sources: D. Gale, L. Shapley, "College Admissions and the Stability of Marriage" (1962); V. Mirrokni, M. Thorup, M.
 * Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018).
 *
 * @returns for each topic, task ▸ index into `nodes`
 */
export function assignBalanced(topics: readonly TaskTopic[], nodes: readonly string[]): Int32Array[] {
  const slots = slotsOf(nodes);
  const preferences = slots === undefined ? unnumbered(topics, nodes) : numbered(topics, nodes, slots);
  const matching = new Matching(nodes, preferences);
  matching.run();
  const owner = matching.result();
  let start = 0;
  return topics.map(({ count }) => {
    start += count;
    return owner.slice(start - count, start);
  });
}

function unnumbered(topics: readonly TaskTopic[], nodes: readonly string[]): Preferences {
  const ranks = nodes.map((name) => taskRanks(name, topics));
  return { ranks, home: new Int32Array(ranks[0]!.length).fill(NOBODY) };
}

/**
 * To nodes that are not numbered, all numbered ones together are as many nodes as they are slots: the rank of a task at its own slot
 * is distributed as the highest of that many ranks, and at the others it is lower.
 */
function numbered(topics: readonly TaskTopic[], nodes: readonly string[], slots: Int32Array): Preferences {
  const total = topics.reduce((sum, { count }) => sum + count, 0);
  const last = Math.max(...slots);
  const first = slots.includes(0) ? 0 : 1;
  const rankOf = Array.from({ length: last + 1 }, (_, slot) => taskRanks(`slot ${slot}`, topics));
  const { fromZero, fromOne } = divideAmongSlots(total, last, (slot) => rankOf[slot]!);
  const slotOf = first === 0 ? fromZero : fromOne;
  const highest = taskRanks('slots', topics).map((rank) => rank ** (1 / (last + 1 - first)));
  const ranks = nodes.map((name, node) =>
    slots[node] === NO_SLOT
      ? taskRanks(name, topics)
      : highest.map((rank, task) =>
          slotOf[task] === slots[node] ? rank : rank * rankOf[slots[node]!]![task]!,
        ),
  );
  return { ranks, home: slotOf.map((slot) => slots.indexOf(slot)) };
}

class Matching {
  readonly #nodes: readonly string[];
  readonly #ranks: readonly Float64Array[];
  readonly #home: Int32Array;
  readonly #total: number;
  readonly #room: number;
  readonly #held: TaskIndex[][];

  constructor(nodes: readonly string[], { ranks, home }: Preferences) {
    this.#nodes = nodes;
    this.#ranks = ranks;
    this.#home = home;
    this.#total = home.length;
    const mean = this.#total / nodes.length;
    this.#room = Math.max(Math.ceil(mean), Math.floor(MOST_TASKS * mean));
    this.#held = nodes.map(() => []);
  }

  run(): void {
    const askedLast = new Int32Array(this.#total).fill(NOBODY);
    for (let first = 0; first < this.#total; first++) {
      let task: TaskIndex | undefined = first;
      while (task !== undefined) {
        const next = this.#nextNode(task, askedLast[task]!);
        askedLast[task] = next;
        task = this.#ask(next, task);
      }
    }
  }

  /** Task ▸ index into the nodes. */
  result(): Int32Array {
    const owner = new Int32Array(this.#total);
    for (const [node, held] of this.#held.entries()) for (const task of held) owner[task] = node;
    return owner;
  }

  /** @returns the task that the node does not keep, if it has no room for all */
  #ask(node: number, task: TaskIndex): TaskIndex | undefined {
    const held = this.#held[node]!;
    held.push(task);
    if (held.length <= this.#room) return undefined;
    let worst = 0;
    for (let at = 1; at < held.length; at++) if (this.#keepsBefore(node, held[worst]!, held[at]!)) worst = at;
    return held.splice(worst, 1)[0];
  }

  /** Whether a node keeps task `a` before `b`: the one that is at home there, else the one that it ranks higher. */
  #keepsBefore(node: number, a: TaskIndex, b: TaskIndex): boolean {
    const atHome = Number(this.#home[a] === node) - Number(this.#home[b] === node);
    return atHome !== 0 ? atHome > 0 : this.#ranks[node]![a]! > this.#ranks[node]![b]!;
  }

  /** Whom a task asks after `last`; there is always one, since all nodes together have room for all tasks. */
  #nextNode(task: TaskIndex, last: number): number {
    let next = NOBODY;
    for (let node = 0; node < this.#nodes.length; node++) {
      if (last !== NOBODY && !this.#isBefore(task, last, node)) continue;
      if (next === NOBODY || this.#isBefore(task, node, next)) next = node;
    }
    return next;
  }

  /** Whether a task asks node `a` before `b`: the one that ranks it higher; of those that rank it the same, the first by name. */
  #isBefore(task: TaskIndex, a: number, b: number): boolean {
    const higher = this.#ranks[a]![task]! - this.#ranks[b]![task]!;
    return higher !== 0 ? higher > 0 : compareByBytes(this.#nodes[a]!, this.#nodes[b]!) < 0;
  }
}
