import type { TaskTopic } from './ranks.ts';
import { taskScores } from './ranks.ts';

/**
 * Divides the tasks of one topic among slots, whatever other topics there are. Slot 0 has all at first, in the order of their
 * scores; each further slot takes its share, one after the other from the slot that has most, there the last one.
 *
 * Loads are level, and one slot more takes its own tasks and moves nothing else. Where a share is no whole number, and
 * which of equally full slots give, is up to hashes with the topic's name: over many topics it comes out even.
 *
 * @returns slot ▸ ids of the tasks that it takes when it comes
 */
export function planRoute({ topic, count }: TaskTopic, last: number): number[][] {
  const scores = taskScores('slots', topic, count);
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
