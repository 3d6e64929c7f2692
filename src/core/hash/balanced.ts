import { compareByBytes } from './byte-order.ts';
import { NO_SLOT, slotsOf } from './numbered.ts';
import { type TaskIndex, type TaskTopic, taskRanks, taskScore } from './ranks.ts';
import { roomOf } from './room.ts';
import { divideAmongSlots } from './slot-tasks.ts';

const NOBODY = -1;

/** Input of the matching: ranks of the tasks at the nodes, and their homes. */
interface Preferences {
  /** Rank of a task at a node, from 0 to 1, higher is better. */
  rank(node: number, task: TaskIndex): number;
  /** Task ▸ its home, the node that keeps it before others, or NOBODY. */
  readonly home: Int32Array;
  /** The nodes that may rank a task higher than its home does. */
  readonly strangers: readonly number[];
}

/**
 * Hash 2 over all topics: rendezvous hashing with bounded load, the tasks and nodes matched by deferred acceptance.
 *
 * Each task asks the nodes in descending order of its rank there (`taskRanks`). A node has room for max(ceil(mean),
 * floor(1.15 mean)) tasks: it keeps the highest-ranked that ask it, and the others ask their next node. The result
 * depends neither on the order in which tasks ask nor on that of the nodes. A single topic has no bound of its own:
 * that would move more tasks, and the total does not need it.
 *
 * Numbered nodes (`slotsOf`) do better, since a number implies those before it: the tasks are divided among the numbers
 * (`divideAmongSlots`), and a task first asks the node of its number, which keeps it before others. A node that is
 * added after the last one, or removed, or comes back, moves its own tasks and few others.
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
  const home = new Int32Array(ranks[0]!.length).fill(NOBODY);
  return { rank: (node, task) => ranks[node]![task]!, home, strangers: [] };
}

/**
 * Ranks with numbered nodes. Compared with the other nodes, the slots together count as that many nodes: the rank of a
 * task at its own slot is distributed as the highest of that many ranks, and at the other slots it is lower.
 */
function numbered(topics: readonly TaskTopic[], nodes: readonly string[], slots: Int32Array): Preferences {
  const last = Math.max(...slots);
  const first = slots.includes(0) ? 0 : 1;
  const slotOf = divideAmongSlots(topics, first, last);
  const highest = taskRanks('slots', topics).map((rank) => rank ** (1 / (last + 1 - first)));
  const strangers = [...nodes.keys()].filter((node) => slots[node] === NO_SLOT);
  const strange = new Map(strangers.map((node) => [node, taskRanks(nodes[node]!, topics)]));
  const ids = topics.flatMap(({ topic, count }) => Array.from({ length: count }, (_, id) => ({ topic, id })));
  // Few tasks ask more than one slot, so these ranks are computed when asked for.
  const rank = (node: number, task: TaskIndex) => {
    const other = strange.get(node);
    if (other !== undefined) return other[task]!;
    const slot = slots[node]!;
    if (slotOf[task] === slot) return highest[task]!;
    return highest[task]! * taskScore(`slot ${slot}`, ids[task]!.topic, ids[task]!.id);
  };
  return { rank, home: slotOf.map((slot) => slots.indexOf(slot)), strangers };
}

class Matching {
  readonly #nodes: readonly string[];
  readonly #preferences: Preferences;
  readonly #home: Int32Array;
  readonly #all: readonly number[];
  readonly #total: number;
  readonly #room: number;
  readonly #held: TaskIndex[][];

  constructor(nodes: readonly string[], preferences: Preferences) {
    this.#nodes = nodes;
    this.#all = [...nodes.keys()];
    this.#preferences = preferences;
    this.#home = preferences.home;
    this.#total = this.#home.length;
    this.#room = roomOf(this.#total, nodes.length);
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

  /** Whether a node keeps task `a` before `b`: the one at home there first, else the higher rank. */
  #keepsBefore(node: number, a: TaskIndex, b: TaskIndex): boolean {
    const atHome = Number(this.#home[a] === node) - Number(this.#home[b] === node);
    return atHome !== 0 ? atHome > 0 : this.#rank(node, a) > this.#rank(node, b);
  }

  /** The node that a task asks after `last`. There is one, since all nodes together have room for all tasks. */
  #nextNode(task: TaskIndex, last: number): number {
    const home = this.#home[task]!;
    const asked = last === NOBODY && home !== NOBODY ? [home, ...this.#preferences.strangers] : this.#all;
    let next = NOBODY;
    for (const node of asked) {
      if (last !== NOBODY && !this.#isBefore(task, last, node)) continue;
      if (next === NOBODY || this.#isBefore(task, node, next)) next = node;
    }
    return next;
  }

  #rank(node: number, task: TaskIndex): number {
    return this.#preferences.rank(node, task);
  }

  /** Whether a task asks node `a` before `b`: the one that ranks it higher first; for equal ranks, by name. */
  #isBefore(task: TaskIndex, a: number, b: number): boolean {
    const higher = this.#rank(a, task) - this.#rank(b, task);
    return higher !== 0 ? higher > 0 : compareByBytes(this.#nodes[a]!, this.#nodes[b]!) < 0;
  }
}
