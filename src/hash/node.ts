import { ConfigError } from '../model/errors.ts';
import { compareByBytes } from './byte-order.ts';
import { SeriesKey } from './series-key.ts';
import { xxh64Into } from './xxhash64.ts';

/** Which node computes a task. A function of task and event time alone, never of the series. */
export interface Owner {
  /** Name of the node that has `task` at event time `timeMs`, milliseconds since the epoch. */
  owner(task: number, timeMs: number): string;
  /** Tasks of `node` at event time `timeMs`, ascending; none if the node is unknown. */
  tasksOf(node: string, timeMs: number): number[];
}

/** Ownership by hash 2 over a fixed list of nodes: constant in time. */
export function createOwner(count: number, nodes: readonly string[]): Owner {
  const names = [...nodes];
  const assignment = assignTasks(count, names);
  return {
    owner(task, _timeMs) {
      const node = assignment[task];
      if (node === undefined) throw new RangeError(`task ${task} is not one of 0 … ${count - 1}`);
      return names[node]!;
    },
    tasksOf(node, _timeMs) {
      const wanted = names.indexOf(node);
      return Array.from(assignment.keys()).filter((task) => assignment[task] === wanted);
    },
  };
}

/**
 * Hash 2: rendezvous hashing with bounded load (DESIGN section 3). The result is task ▸ index into `nodes`.
 *
 * Tasks in order of id each take the best-scored node that holds fewer than ceil(count / nodes). The
 * order of `nodes` does not matter: the same task goes to the node of the same name.
 *
 * Sources: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998);
 * V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018).
 *
 * @throws ConfigError if there is no node, or a name twice
 */
export function assignTasks(count: number, nodes: readonly string[]): Int32Array {
  checkNodes(nodes);
  const limit = Math.ceil(count / nodes.length);
  const load = new Int32Array(nodes.length);
  const assignment = new Int32Array(count);
  const key = new SeriesKey();
  const score = new Uint32Array(2);

  for (let task = 0; task < count; task++) {
    let best = -1;
    let bestHigh = 0;
    let bestLow = 0;
    for (let node = 0; node < nodes.length; node++) {
      if (load[node]! >= limit) continue;
      key.writePair(nodes[node]!, String(task));
      xxh64Into(key.bytes, 0, key.length, score);
      const order = score[0]! - bestHigh || score[1]! - bestLow;
      if (best < 0 || order > 0 || (order === 0 && compareByBytes(nodes[node]!, nodes[best]!) < 0)) {
        best = node;
        bestHigh = score[0]!;
        bestLow = score[1]!;
      }
    }
    assignment[task] = best;
    load[best]! += 1;
  }
  return assignment;
}

function checkNodes(nodes: readonly string[]): void {
  if (nodes.length === 0) throw new ConfigError('there are no nodes: name at least one that tasks can go to');
  const twice = nodes.find((node, at) => nodes.indexOf(node) !== at);
  if (twice !== undefined) {
    throw new ConfigError(
      `the node ${JSON.stringify(twice)} is named twice: give each node a name of its own`,
    );
  }
}
