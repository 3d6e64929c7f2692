import type { TaskIndex } from './ranks.ts';
import { AHEAD, emptiest, roomOf } from './room.ts';

/** Division without a slot 0: its tasks are guests in the other slots, each in one slot as long as that has room. */
export class FromOne {
  /** Task ▸ slot, from 1 on. */
  readonly slotOf: Int32Array;
  readonly #fromZero: Int32Array;
  /** All tasks, the highest score first. */
  readonly #order: readonly TaskIndex[];

  /** @param fromZero task ▸ slot from 0 on, which the caller updates as slots are added */
  constructor(fromZero: Int32Array, scores: Float64Array) {
    this.#fromZero = fromZero;
    this.slotOf = new Int32Array(fromZero.length).fill(1);
    this.#order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || b - a);
  }

  /** Adds `slot`, the newest. `fromZero` has to include it already. */
  add(slot: number): void {
    const loads = new Array<number>(slot + 1).fill(0);
    for (const [task, one] of this.#fromZero.entries()) {
      if (one !== 0) this.slotOf[task] = one;
      loads[this.slotOf[task]!]! += 1;
    }
    const guests = this.#order.filter((task) => this.#fromZero[task] === 0);
    const loadWith = (task: TaskIndex) => loads[this.slotOf[task]!]!;
    const moveOn = (task: TaskIndex, most: number) => {
      const to = loads[slot]! < most ? slot : emptiest(loads, 1);
      loads[this.slotOf[task]!]! -= 1;
      loads[to]! += 1;
      this.slotOf[task] = to;
    };
    const most = roomOf(this.slotOf.length, slot);
    for (const task of guests) if (loadWith(task) > most) moveOn(task, most);
    // One guest moves early, so that not all have to when the next slot is added.
    const mostSoon = roomOf(this.slotOf.length, slot + AHEAD);
    const early = guests.find((task) => loadWith(task) > mostSoon);
    if (early !== undefined && Math.min(...loads.slice(1)) < mostSoon) moveOn(early, mostSoon);
  }
}
