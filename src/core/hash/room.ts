/** What a node may have of all tasks, as a multiple of the mean. */
const MOST_TASKS = 1.15;

/** How many of `total` tasks each of `nodes` nodes has room for. */
export function roomOf(total: number, nodes: number): number {
  const mean = total / nodes;
  return Math.max(Math.ceil(mean), Math.floor(MOST_TASKS * mean));
}

/** How many slots more are thought of: what would be too much for them is moved little by little before they come. */
export const AHEAD = 4;

/** The slot that has least, the first of several, of those from `first` on. */
export function emptiest(loads: readonly number[], first: number): number {
  let least = first;
  for (let slot = first + 1; slot < loads.length; slot++) if (loads[slot]! < loads[least]!) least = slot;
  return least;
}
