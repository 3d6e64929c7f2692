import { ascending, type TaskIndex } from './ranks.ts';

/** Tasks divided among slots: task ▸ slot. */
export interface SlotTasks {
  /** Among slots from 0 on. */
  readonly fromZero: Int32Array;
  /** Among slots from 1 on, for nodes that are numbered from 1. Differs in what slot 0 has, and in nothing else. */
  readonly fromOne: Int32Array;
}

/**
 * Divides `total` tasks among the slots up to `last`. Slot 0 has all at first; each further one takes its share, its
 * highest-ranked tasks, from the fullest. So loads differ by one at most, and one slot more takes its own tasks from the
 * others and moves nothing else. What slot 0 has is with others where there is no slot 0, and where it is changes
 * as little as possible.
 *
 * @param ranksOf slot ▸ task ▸ its rank there, 0 … 1
 */
export function divideAmongSlots(
  total: number,
  last: number,
  ranksOf: (slot: number) => Float64Array,
): SlotTasks {
  const zero = new Division(total, 0);
  const one = new Division(total, 1);
  for (let slot = 1; slot <= last; slot++) {
    const order = ascending(ranksOf(slot)).reverse();
    const share = Math.floor(total / (slot + 1));
    const most = Math.ceil(total / slot);
    const taken = zero.take(slot, share, order, [
      // What others have above one more than the share first, so that none is left with more.
      (task) => zero.loadWith(task) > share + 1,
      (task) => zero.loadWith(task) > share && one.loadWith(task) > most,
      (task) => zero.loadWith(task) > share,
    ]);
    if (slot === 1) continue;
    for (const task of taken) one.move(task, slot);
    one.level(
      slot,
      most,
      order.filter((task) => zero.slotOf[task] === 0),
    );
  }
  return { fromZero: zero.slotOf, fromOne: one.slotOf };
}

class Division {
  readonly slotOf: Int32Array;
  /** By slot; none for slots before the first. */
  readonly #loads: number[] = [];

  constructor(total: number, first: number) {
    this.slotOf = new Int32Array(total).fill(first);
    this.#loads[first] = total;
  }

  /** How many tasks are in the slot of `task`. */
  loadWith(task: TaskIndex): number {
    return this.#loads[this.slotOf[task]!]!;
  }

  /** Moves the first `share` tasks in `order` that can be spared to `slot`: by the first of the conditions, then the next. */
  take(
    slot: number,
    share: number,
    order: Int32Array,
    spared: readonly ((task: TaskIndex) => boolean)[],
  ): TaskIndex[] {
    const taken: TaskIndex[] = [];
    for (const isSpared of spared) {
      for (const task of order) {
        if (taken.length === share) return taken;
        if (this.slotOf[task] === slot || !isSpared(task)) continue;
        this.move(task, slot);
        taken.push(task);
      }
    }
    return taken;
  }

  /** Leaves no slot with more than `most`: what is `movable` goes to `slot` while it has room, then to the emptiest. */
  level(slot: number, most: number, movable: Int32Array): void {
    this.#loads[slot] ??= 0;
    for (const task of movable) {
      if (this.loadWith(task) > most) this.move(task, this.#loads[slot] < most ? slot : this.#emptiest());
    }
  }

  move(task: TaskIndex, slot: number): void {
    this.#loads[this.slotOf[task]!]! -= 1;
    this.#loads[slot] = (this.#loads[slot] ?? 0) + 1;
    this.slotOf[task] = slot;
  }

  #emptiest(): number {
    let emptiest = this.#loads.length - 1;
    this.#loads.forEach((load, slot) => {
      if (load < this.#loads[emptiest]!) emptiest = slot;
    });
    return emptiest;
  }
}
