import { type TaskTopic, taskScores } from './ranks.ts';

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
export function planRoute({ topic, count }: TaskTopic, scores: Float64Array, last: number): number[][] {
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
