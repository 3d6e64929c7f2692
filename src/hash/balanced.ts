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
/** What it may have of one topic's, as a multiple of that mean, and one more: a topic may have most of the load. */
const MOST_OF_TOPIC = 1.25;

/** A task, by its place in the order of topics and ids. */
type TaskIndex = number;

interface Candidate {
  readonly task: TaskIndex;
  readonly score: number;
}

/**
 * Hash 2 over all topics: rendezvous hashing with bounded load, the tasks and nodes matched by deferred acceptance.
 *
 * Each task asks the nodes in the order of its scores, score(task, node) = xxh64(node 0xFF topic 0xFF task 0xFF). A node
 * keeps the best-scored of those that ask it, as many as it has room for: of all tasks max(ceil(mean), floor(1.15 mean)), of
 * one topic's ceil(1.25 mean of the topic) + 1. Whom it does not keep asks the next one. The result does not depend on the order
 * in which they ask, nor on that of the nodes. What no node keeps, which bounds that are this loose hardly ever leave, goes to
 * the best-scored node that has room at all.
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
  readonly #topicOf: Int32Array;
  readonly #room: number;
  readonly #topicRoom: readonly number[];
  readonly #held: Candidate[][];
  readonly #key = new SeriesKey();
  readonly #score = new Uint32Array(2);

  constructor(topics: readonly TaskTopic[], nodes: readonly string[]) {
    this.#topics = topics;
    this.#nodes = nodes;
    for (const { count } of topics) this.#starts.push(this.#starts.at(-1)! + count);
    const total = this.#starts.at(-1)!;
    this.#topicOf = new Int32Array(total);
    topics.forEach((_, at) => this.#topicOf.fill(at, this.#starts[at], this.#starts[at + 1]));
    const mean = total / nodes.length;
    this.#room = Math.max(Math.ceil(mean), Math.floor(MOST_TASKS * mean));
    this.#topicRoom = topics.map(({ count }) => Math.ceil((MOST_OF_TOPIC * count) / nodes.length) + 1);
    this.#held = nodes.map(() => []);
  }

  run(): void {
    const total = this.#starts.at(-1)!;
    const preferences: (Candidate & { readonly node: number })[][] = [];
    const asked = new Int32Array(total);
    const left: TaskIndex[] = [];
    for (let first = 0; first < total; first++) {
      let task: TaskIndex | undefined = first;
      while (task !== undefined) {
        preferences[task] ??= this.#preferences(task);
        const next = preferences[task]![asked[task]!];
        asked[task]! += 1;
        if (next === undefined) {
          left.push(task);
          break;
        }
        task = this.#ask(next.node, next);
      }
    }
    for (const task of left.sort((a, b) => a - b)) {
      const roomy = preferences[task]!.find(({ node }) => this.#held[node]!.length < this.#room)!;
      this.#held[roomy.node]!.push(roomy);
    }
  }

  result(): Int32Array[] {
    const assignments = this.#topics.map(({ count }) => new Int32Array(count));
    for (const [node, held] of this.#held.entries()) {
      for (const { task } of held) {
        const topic = this.#topicOf[task]!;
        assignments[topic]![task - this.#starts[topic]!] = node;
      }
    }
    return assignments;
  }

  /** @returns the task that the node does not keep, if it has no room for all */
  #ask(node: number, candidate: Candidate): TaskIndex | undefined {
    const held = this.#held[node]!;
    held.push(candidate);
    const topic = this.#topicOf[candidate.task]!;
    const ofTopic = held.filter(({ task }) => this.#topicOf[task] === topic);
    const crowd =
      ofTopic.length > this.#topicRoom[topic]! ? ofTopic : held.length > this.#room ? held : undefined;
    if (crowd === undefined) return undefined;
    const worst = crowd.reduce((low, each) => (isBelow(each, low) ? each : low));
    held.splice(held.indexOf(worst), 1);
    return worst.task;
  }

  /** The nodes, the best-scored first; of those with one score, the first by name. */
  #preferences(task: TaskIndex): (Candidate & { readonly node: number })[] {
    const topic = this.#topicOf[task]!;
    const id = String(task - this.#starts[topic]!);
    const scored = this.#nodes.map((name, node) => {
      this.#key.writeTriple(name, this.#topics[topic]!.topic, id);
      xxh64Into(this.#key.bytes, 0, this.#key.length, this.#score);
      // The upper 53 bits: as many as a number holds.
      return { task, node, score: this.#score[0]! * 0x20_0000 + (this.#score[1]! >>> 11) };
    });
    return scored.sort(
      (a, b) => b.score - a.score || compareByBytes(this.#nodes[a.node]!, this.#nodes[b.node]!),
    );
  }
}

function isBelow(a: Candidate, b: Candidate): boolean {
  return a.score < b.score || (a.score === b.score && a.task > b.task);
}
