import { compareByBytes } from './byte-order.ts';
import { SeriesKey } from './series-key.ts';
import { xxh64Into } from './xxhash64.ts';

/**
 * Hash 2 of a single topic: rendezvous hashing with bounded load. The result is task ▸ index into `nodes`.
 *
 * Tasks in order of id each take the best-scored node that holds fewer than ceil(count / nodes). The
 * order of `nodes` does not matter: the same task goes to the node of the same name.
 *
 * Sources: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998);
 * V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018).
 */
export function assignTasks(count: number, nodes: readonly string[]): Int32Array {
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
