import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide, type Standing } from '../../../../src/services/drain/last-owner.ts';
import { parseTurn } from '../../../../src/services/drain/turn.ts';

/** `note` as it is committed. */
function standing(group: string, offset?: number, note = '', holds = false): Standing {
  const commit = offset === undefined ? undefined : { offset: BigInt(offset), note: parseTurn(note) };
  return { group, holds, commit };
}

const held = (group: string, offset?: number, note?: string) => standing(group, offset, note, true);

function outcome(...standings: Standing[]): string {
  const decision = decide('b', [held('b'), ...standings]);
  return told(decision);
}

function told(decision: ReturnType<typeof decide>): string {
  if (decision.kind === 'own') return 'own';
  if (decision.kind === 'wait')
    return `wait for ${decision.group}${decision.yields ? '' : ', keep the claim'}`;
  const { from, turn } = decision;
  return `take ${from === undefined ? 'from nobody' : `${from.group} at ${from.commit.offset}`}, turn ${turn}`;
}

describe('a partition that has come to a node', () => {
  test('begins where its last owner stood: the newest turn, else the furthest', () => {
    assert.equal(outcome(standing('a', 40)), 'take a at 40, turn 1');
    assert.equal(outcome(standing('a', 40), standing('c', 70), standing('d', 69)), 'take c at 70, turn 1');
    assert.equal(outcome(standing('a', 90, 'turn 2'), standing('c', 70, 'turn 3')), 'take c at 70, turn 4');
    assert.equal(outcome(standing('a', 90), standing('c', 70, 'turn 1 handed over')), 'take c at 70, turn 2');
  });

  test('begins at the oldest record when no group has read it', () => {
    assert.equal(outcome(), 'take from nobody, turn 1');
    assert.equal(outcome(standing('a'), standing('c', 3, 'turn 4 withdrawn')), 'take from nobody, turn 5');
  });

  test('goes on where this node stands when nobody had it since', () => {
    const told = (own: Standing, ...others: Standing[]) => decide('b', [own, ...others]).kind;
    assert.equal(told(held('b', 40, 'turn 2'), standing('a', 39, 'turn 1')), 'own');
    assert.equal(told(held('b', 40), standing('a', 39)), 'own');
    assert.equal(told(held('b', 40, 'turn 2'), held('a', 39, 'turn 1')), 'own', 'a waits for b');
    assert.equal(told(held('b', 40, 'turn 2'), standing('a', 39, 'turn 3')), 'take', 'a task that returns');
  });

  test('waits while its last owner holds it, however the groups are called', () => {
    assert.equal(outcome(held('a', 40, 'turn 1')), 'wait for a');
    assert.equal(outcome(held('c', 40, 'turn 1')), 'wait for c');
    assert.equal(outcome(held('c', 40)), 'wait for c', 'a version without turns');
  });

  test('goes to the first by name of those that hold it, when none of them had it', () => {
    assert.equal(outcome(held('a'), standing('z', 9)), 'wait for a');
    assert.equal(outcome(held('c'), standing('z', 9)), 'take z at 9, turn 1');
  });

  test('waits for a claim to be settled or withdrawn, unless its group has lost the partition', () => {
    assert.equal(outcome(held('c', 9, 'turn 3 taking'), standing('z', 9)), 'wait for c, keep the claim');
    assert.equal(outcome(standing('c', 9, 'turn 3 taking'), standing('z', 9)), 'take z at 9, turn 4');
    const owner = held('b', 9, 'turn 2');
    assert.equal(told(decide('b', [owner, held('c', 9, 'turn 3 taking')])), 'wait for c, keep the claim');
  });

  test('takes another group at the same place for the one at work where there are no turns', () => {
    assert.equal(told(decide('b', [held('b', 9), held('c', 9)])), 'wait for c');
    assert.equal(told(decide('b', [held('b', 9), standing('c', 9)])), 'own');
  });
});
