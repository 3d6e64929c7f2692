import { SeriesKey } from './series-key.ts';
import { xxh64Into } from './xxhash64.ts';

/** A task topic. Routes may share one. */
export interface TaskTopic {
  readonly topic: string;
  /** Number of tasks; partitions from here on belong to nobody. */
  readonly count: number;
}

/** A task, by its place in the order of topics and ids. */
export type TaskIndex = number;

/** Scores are below this. */
const SCORES = 2 ** 53;

/**
 * How high `name` ranks each task, from 0 to 1, the tasks of all topics one after the other.
 *
 * score(task) = xxh64(name 0xFF topic 0xFF task 0xFF), the upper 53 bits as a part of 1. The rank is (number of tasks of the
 * topic with a lower score + score) / count. Ranks, not scores: those of a node are spread evenly over each topic, so that
 * loads vary less before any bound, and fewer tasks move on account of it.
 */
export function taskRanks(name: string, topics: readonly TaskTopic[]): Float64Array {
  const ranks = new Float64Array(topics.reduce((sum, { count }) => sum + count, 0));
  let start = 0;
  for (const { topic, count } of topics) {
    const scores = taskScores(name, topic, count);
    const order = ascending(scores);
    for (let below = 0; below < count; below++) {
      const id = order[below]!;
      ranks[start + id] = (below + scores[id]!) / count;
    }
    start += count;
  }
  return ranks;
}

const key = new SeriesKey();
const words = new Uint32Array(2);

/** The scores of a topic's tasks 0 … count - 1 at `name`, as parts of 1. */
export function taskScores(name: string, topic: string, count: number): Float64Array {
  const scores = new Float64Array(count);
  key.writePair(name, topic);
  const before = key.length;
  for (let id = 0; id < count; id++) {
    key.length = before;
    scores[id] = scoreWith(id);
  }
  return scores;
}

export function taskScore(name: string, topic: string, id: number): number {
  key.writePair(name, topic);
  return scoreWith(id);
}

/** Of the name and the topic that `key` has. */
function scoreWith(id: number): number {
  key.add(String(id));
  xxh64Into(key.bytes, 0, key.length, words);
  // The upper 53 bits: as many as a number holds.
  return (words[0]! * 0x20_0000 + (words[1]! >>> 11)) / SCORES;
}

/**
 * The indexes of `values` in the order of their values, of equal ones the lower index first.
 *
 * Values are spread evenly from 0 to 1, so each is put near its place first: what is left to sort is short. A comparing sort
 * of 80,000 tasks for each of 100 nodes took 7 s.
 */
export function ascending(values: Float64Array): Int32Array {
  const size = values.length;
  const bucketOf = (at: number) => Math.min(size - 1, Math.floor(values[at]! * size));
  const ends = new Int32Array(size + 1);
  for (let at = 0; at < size; at++) ends[bucketOf(at) + 1]! += 1;
  for (let bucket = 0; bucket < size; bucket++) ends[bucket + 1]! += ends[bucket]!;
  const order = new Int32Array(size);
  for (let at = 0; at < size; at++) order[ends[bucketOf(at)]!++] = at;
  for (let at = 1; at < size; at++) {
    const one = order[at]!;
    let to = at;
    for (; to > 0 && values[order[to - 1]!]! > values[one]!; to--) order[to] = order[to - 1]!;
    order[to] = one;
  }
  return order;
}
