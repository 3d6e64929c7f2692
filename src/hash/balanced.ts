import { compareByBytes } from './byte-order.ts';
import { SeriesKey } from './series-key.ts';
import { xxh64Into } from './xxhash64.ts';

/** A task topic. Routes may share one. */
export interface TaskTopic {
  readonly topic: string;
  /** Number of tasks; partitions from here on belong to nobody. */
  readonly count: number;
}

/** What a node may have of all tasks, as a multiple of the mean. */
const MOST_TASKS = 1.15;

const NOBODY = -1;
/** Scores are below this. */
const SCORES = 2 ** 53;

/** A task, by its place in the order of topics and ids. */
type TaskIndex = number;

/**
 * Hash 2 over all topics: rendezvous hashing with bounded load, the tasks and nodes matched by deferred acceptance.
 *
 * A node ranks the tasks of a topic by score(task, node) = xxh64(node 0xFF topic 0xFF task 0xFF), the upper 53 bits: (number of
 * tasks with a lower score + score / 2^53) / count. Each task asks the nodes in the order of its ranks there, the highest first.
 * A node keeps the highest-ranked of those that ask it, as many as it has room for: max(ceil(mean), floor(1.15 mean)). Whom it
 * does not keep asks the next one. The result does not depend on the order in which they ask, nor on that of the nodes.
 *
 * Ranks, not scores: those of a node are spread evenly, so that loads vary less before any bound, and fewer tasks move on
 * account of it. The tasks of one topic have no bound of their own: it would move more, for what the sum does not need.
 *
 * Sources: D. Gale, L. Shapley, "College Admissions and the Stability of Marriage" (1962); V. Mirrokni, M. Thorup, M.
 * Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018).
 *
 * @returns for each topic, task ▸ index into `nodes`
 */
export function assignBalanced(topics: readonly TaskTopic[], nodes: readonly string[]): Int32Array[] {
  const matching = new Matching(topics, nodes);
  matching.run();
  return matching.result();
}

class Matching {
  readonly #topics: readonly TaskTopic[];
  readonly #nodes: readonly string[];
  /** First task of each topic, and behind the last one the number of all. */
  readonly #starts: number[] = [0];
  readonly #total: number;
  readonly #room: number;
  /** By node, task ▸ its rank there, from 0 to 1. */
  readonly #ranks: Float64Array[];
  readonly #held: TaskIndex[][];

  constructor(topics: readonly TaskTopic[], nodes: readonly string[]) {
    this.#topics = topics;
    this.#nodes = nodes;
    for (const { count } of topics) this.#starts.push(this.#starts.at(-1)! + count);
    this.#total = this.#starts.at(-1)!;
    const mean = this.#total / nodes.length;
    this.#room = Math.max(Math.ceil(mean), Math.floor(MOST_TASKS * mean));
    this.#ranks = nodes.map((name) => this.#ranksAt(name));
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

  result(): Int32Array[] {
    const owner = new Int32Array(this.#total);
    for (const [node, held] of this.#held.entries()) for (const task of held) owner[task] = node;
    return this.#topics.map((_, at) => owner.slice(this.#starts[at], this.#starts[at + 1]));
  }

  /** @returns the task that the node does not keep, if it has no room for all */
  #ask(node: number, task: TaskIndex): TaskIndex | undefined {
    const held = this.#held[node]!;
    held.push(task);
    if (held.length <= this.#room) return undefined;
    const ranks = this.#ranks[node]!;
    let worst = 0;
    for (let at = 1; at < held.length; at++) if (ranks[held[at]!]! < ranks[held[worst]!]!) worst = at;
    return held.splice(worst, 1)[0];
  }

  #ranksAt(node: string): Float64Array {
    const key = new SeriesKey();
    const words = new Uint32Array(2);
    const scores = new Float64Array(this.#total);
    this.#topics.forEach(({ topic, count }, at) => {
      for (let id = 0; id < count; id++) {
        key.writeTriple(node, topic, String(id));
        xxh64Into(key.bytes, 0, key.length, words);
        // The upper 53 bits: as many as a number holds.
        scores[this.#starts[at]! + id] = words[0]! * 0x20_0000 + (words[1]! >>> 11);
      }
    });
    return this.#topics.reduce((ranks, { count }, at) => {
      const start = this.#starts[at]!;
      Int32Array.from({ length: count }, (_, id) => start + id)
        .sort((a, b) => scores[a]! - scores[b]! || a - b)
        .forEach((task, rank) => (ranks[task] = (rank + scores[task]! / SCORES) / count));
      return ranks;
    }, new Float64Array(this.#total));
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
