import { type TaskIndex, type TaskTopic, taskScores } from './ranks.ts';
import { AHEAD, emptiest, roomOf } from './room.ts';

/** Look-ahead in slots for the order in which tasks leave a slot by plan. */
const IN_SIGHT = 16;
/** Most crowded slots from which a new one takes a task each, in exchange for one of its planned tasks. */
const EXCHANGED = 3;
/** Tasks that return to their planned slot when a slot is added, less those that find no room in the new one. */
const RETURNED = 1;

const NOWHERE = -1;
const NEVER = 2 ** 30;

/**
 * Divides all tasks among the slots up to `last`, so that no slot has more than its room (`roomOf`).
 *
 * Each topic has its own plan (`planRoute`). The sum over topics may exceed a slot's room, so some tasks are not in
 * their planned slot: about one of twenty if slots have few tasks. That changes slowly as slots are added one by one:
 * one more slot takes about its own tasks, and one more topic hardly changes the others.
 *
 * @param first 0, or 1 if there is no slot 0, which affects the tasks of slot 0 only
 * @returns task ▸ slot
 */
export function divideAmongSlots(topics: readonly TaskTopic[], first: 0 | 1, last: number): Int32Array {
  const division = new Division(topics, last);
  const fromOne = first === 1 ? new FromOne(division.slotOf, division.scores) : undefined;
  for (let slot = 1; slot <= last; slot++) {
    division.add(slot);
    if (slot > 1) fromOne?.add(slot);
  }
  return fromOne?.slotOf ?? division.slotOf;
}

class Division {
  readonly slotOf: Int32Array;
  /** Task ▸ its score, a tie-breaker. */
  readonly scores: Float64Array;
  readonly #total: number;
  /** Slot ▸ tasks that it takes by plan when it is added. */
  readonly #joining: TaskIndex[][];
  /** Task ▸ slot by plan. */
  readonly #planned: Int32Array;
  /** Task ▸ slots that take it later by plan, the next one last. */
  readonly #later: number[][];
  readonly #loads: number[];
  #newest = 0;

  constructor(topics: readonly TaskTopic[], last: number) {
    this.#total = topics.reduce((sum, { count }) => sum + count, 0);
    this.slotOf = new Int32Array(this.#total);
    this.scores = new Float64Array(this.#total);
    this.#planned = new Int32Array(this.#total);
    this.#later = Array.from(this.slotOf, () => []);
    this.#joining = Array.from({ length: last + IN_SIGHT + 1 }, () => []);
    this.#loads = [this.#total];
    let start = 0;
    for (const topic of topics) {
      const scores = taskScores('slots', topic.topic, topic.count);
      this.scores.set(scores, start);
      for (const [slot, ids] of planRoute(topic, scores, last + IN_SIGHT).entries()) {
        for (const id of ids) this.#joining[slot]!.push(start + id);
      }
      start += topic.count;
    }
    for (let slot = last + IN_SIGHT; slot > 0; slot--) {
      for (const task of this.#joining[slot]!) this.#later[task]!.push(slot);
    }
  }

  add(slot: number): void {
    this.#newest = slot;
    this.#loads[slot] = 0;
    const most = roomOf(this.#total, slot + 1);
    const mostSoon = roomOf(this.#total, slot + 1 + AHEAD);
    const joining = this.#joiningFrom(slot);
    const pushed = this.#pushOut(slot, most);
    this.#leaveOut(joining, most - pushed.length, mostSoon);
    for (const crowded of this.#crowded(slot, mostSoon)) {
      const atMost = mostSoon - 1 - pushed.length;
      this.#leaveOut(joining, atMost, Math.max(mostSoon, this.#loads[crowded]! - 1));
      if (joining.size + pushed.length < mostSoon) pushed.push(this.#takeSpare(crowded));
    }
    let elsewhere = 0;
    for (const task of [...joining.keys(), ...pushed]) {
      const to = this.#loads[slot] < most ? slot : emptiest(this.#loads, 0);
      if (to !== slot) elsewhere++;
      this.#put(task, to);
    }
    this.#return(RETURNED - elsewhere, mostSoon);
  }

  /** Removes the tasks planned for `slot` from where they are. @returns task ▸ the slot that it was in */
  #joiningFrom(slot: number): Map<TaskIndex, number> {
    const from = new Map<TaskIndex, number>();
    for (const task of this.#joining[slot]!) {
      from.set(task, this.slotOf[task]!);
      this.#take(task);
      this.#planned[task] = slot;
      this.#later[task]!.pop();
    }
    return from;
  }

  /** Removes tasks from the slots before `newest` until none has more than `most`. */
  #pushOut(newest: number, most: number): TaskIndex[] {
    const pushed: TaskIndex[] = [];
    for (let slot = 0; slot < newest; slot++) {
      while (this.#loads[slot]! > most) pushed.push(this.#takeSpare(slot));
    }
    return pushed;
  }

  /** Limits `joining` to `atMost`: the tasks that leave first stay where they were, if that has less than `most`. */
  #leaveOut(joining: Map<TaskIndex, number>, atMost: number, most: number): void {
    if (joining.size <= atMost) return;
    for (const task of [...joining.keys()].sort((a, b) => this.#byLeaving(a, b))) {
      const from = joining.get(task)!;
      if (joining.size <= atMost) return;
      if (this.#loads[from]! >= most) continue;
      this.#put(task, from);
      joining.delete(task);
    }
  }

  /** Up to EXCHANGED slots before `newest`, those furthest above `most` without what leaves by plan within AHEAD. */
  #crowded(newest: number, most: number): number[] {
    const excess = this.#loads.map((load) => load - most);
    if (!excess.some((above) => above > 0)) return [];
    for (const [task, slot] of this.slotOf.entries()) {
      if (slot !== NOWHERE && this.#leaves(task) <= newest + AHEAD) excess[slot]! -= 1;
    }
    const crowded = [...excess.keys()].filter((slot) => slot < newest && excess[slot]! > 0);
    return crowded.sort((a, b) => excess[b]! - excess[a]! || a - b).slice(0, EXCHANGED);
  }

  /** Removes one task from a slot: one that is planned elsewhere, else the one that leaves first. */
  #takeSpare(slot: number): TaskIndex {
    let spare = NOWHERE;
    for (let task = this.slotOf.indexOf(slot); task !== -1; task = this.slotOf.indexOf(slot, task + 1)) {
      if (spare === NOWHERE || this.#bySparing(task, spare) < 0) spare = task;
    }
    this.#take(spare);
    return spare;
  }

  /** Moves up to `count` tasks to their planned slots, if those have room: the ones that leave them last first. */
  #return(count: number, most: number): void {
    const away: TaskIndex[] = [];
    for (let task = 0; task < this.#total; task++) {
      const home = this.#planned[task]!;
      if (this.slotOf[task] !== home && this.#loads[home]! < most) away.push(task);
    }
    away.sort((a, b) => this.#byLeaving(b, a));
    let left = count;
    for (const task of away) {
      const home = this.#planned[task]!;
      if (left <= 0 || this.#loads[home]! >= most) continue;
      this.#take(task);
      this.#put(task, home);
      left--;
    }
  }

  /** The slot that takes a task next by plan, capped at the look-ahead. */
  #leaves(task: TaskIndex): number {
    return Math.min(this.#later[task]!.at(-1) ?? NEVER, this.#newest + IN_SIGHT);
  }

  #byLeaving(a: TaskIndex, b: TaskIndex): number {
    return this.#leaves(a) - this.#leaves(b) || this.scores[a]! - this.scores[b]! || a - b;
  }

  #bySparing(a: TaskIndex, b: TaskIndex): number {
    const atHome = (task: TaskIndex) => Number(this.#planned[task] === this.slotOf[task]);
    return atHome(a) - atHome(b) || this.#byLeaving(a, b);
  }

  #take(task: TaskIndex): void {
    this.#loads[this.slotOf[task]!]! -= 1;
    this.slotOf[task] = NOWHERE;
  }

  #put(task: TaskIndex, slot: number): void {
    this.#loads[slot]! += 1;
    this.slotOf[task] = slot;
  }
}

/**
 * Divides the tasks of one topic among slots, independently of other topics. Slot 0 begins with all, in the order of
 * their scores; each further slot takes its share, one task at a time: the last one of the slot that has most.
 *
 * Loads are level, and an added slot moves only the tasks that it takes. Hashes with the topic's name decide how a
 * fractional share is rounded and which of equally full slots gives first: over many topics that evens out.
 *
 * @param scores of its tasks at `slots`
 * @returns slot ▸ ids of the tasks that it takes when it is added
 */
function planRoute({ topic, count }: TaskTopic, scores: Float64Array, last: number): number[][] {
  const all = Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const taken = [all];
  const held = [[...all]];
  for (let slot = 1; slot <= last; slot++) {
    const givesFirst = taskScores(`slot ${slot}`, topic, slot + 1);
    const share = count / (slot + 1);
    const wanted = Math.floor(share) + Number(givesFirst[slot]! < share - Math.floor(share));
    const own = Array.from({ length: wanted }, () => held[fullest(held, givesFirst)]!.pop()!);
    taken.push(own);
    held.push([...own]);
  }
  return taken;
}

function fullest(held: readonly number[][], givesFirst: Float64Array): number {
  let most = 0;
  for (let slot = 1; slot < held.length; slot++) {
    const more = held[slot]!.length - held[most]!.length || givesFirst[slot]! - givesFirst[most]!;
    if (more > 0) most = slot;
  }
  return most;
}

/** Division without a slot 0: its tasks are guests in the other slots, each in one slot as long as that has room. */
class FromOne {
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
