/** Most tasks of a node, as a multiple of the mean. */
const MOST_TASKS = 1.15;

/** Room of each of `nodes` nodes for `total` tasks. */
export function roomOf(total: number, nodes: number): number {
  const mean = total / nodes;
  return Math.max(Math.ceil(mean), Math.floor(MOST_TASKS * mean));
}

/** Look-ahead in slots: what exceeds the room with so many more slots is moved little by little before they exist. */
export const AHEAD = 4;

/** The slot with the fewest tasks from `first` on; the first of several. */
export function emptiest(loads: readonly number[], first: number): number {
  let least = first;
  for (let slot = first + 1; slot < loads.length; slot++) if (loads[slot]! < loads[least]!) least = slot;
  return least;
}
