import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignTopics } from '../../../../src/core/hash/ownership.ts';
import { simulateCount, simulateNodes, syntheticGroups } from '../../../../src/core/hash/simulate.ts';
import { METRIC_NAME } from '../../../../src/core/model/labels.ts';

const groups = syntheticGroups(10_000);
const options = { labels: [METRIC_NAME], owners: { before: undefined, after: undefined } };

/** Hash 2 of one topic whose count changes. */
function ownersOf(before: number, after: number, nodes: string[]) {
  const [was, is] = [before, after].map((count) =>
    assignTopics([{ topic: 'tasks', count }], nodes, 'balanced').get('tasks'),
  );
  return { before: was, after: is };
}

test('growing count with jump moves about the share it must', () => {
  for (const [before, after] of [
    [1, 2],
    [16, 32],
    [32, 33],
    [32, 64],
    [30, 100],
    [64, 16],
  ] as const) {
    const change = simulateCount(groups, before, after, { ...options, hash: 'jump' });
    assert.equal(change.idealShare, Math.abs(after - before) / Math.max(before, after));
    assert.equal(change.share, change.moved / 10_000);
    assert.ok(Math.abs(change.share - change.idealShare) < 0.02, `${before} ▸ ${after}: ${change.share}`);
  }
});

test('growing count with mod moves nearly all', () => {
  const change = simulateCount(groups, 32, 33, { ...options, hash: 'mod' });
  assert.ok(change.share > 0.9);
  assert.equal(simulateCount(groups, 32, 32, { ...options, hash: 'mod' }).moved, 0);
});

test('a group that changes its task may keep its node', () => {
  const change = simulateCount(groups, 32, 64, {
    ...options,
    owners: ownersOf(32, 64, ['a', 'b', 'c']),
    hash: 'jump',
  });
  assert.ok(change.movedToOtherNode! > 0);
  const one = simulateCount(groups, 32, 64, { ...options, owners: ownersOf(32, 64, ['a']), hash: 'jump' });
  assert.ok(one.moved > 0);
  assert.equal(one.movedToOtherNode, 0);
  assert.equal(simulateCount(groups, 32, 64, { ...options, hash: 'jump' }).movedToOtherNode, undefined);
});

test('a node more: loads before and after, and at least the ideal share moves', () => {
  const topics = [{ topic: 'tasks', count: 32 }];
  const { all: change, byTopic } = simulateNodes(topics, ['a', 'b', 'c'], ['a', 'b', 'c', 'd'], 'balanced');
  assert.deepEqual(byTopic.get('tasks'), change);
  assert.equal(change.idealShare, 0.25);
  assert.ok(change.moved >= 8 && change.moved <= 16, `${change.moved} moved`);
  assert.deepEqual(
    change.loads.map((load) => load.node),
    ['a', 'b', 'c', 'd'],
  );
  assert.equal(
    change.loads.reduce((sum, load) => sum + (load.before ?? 0), 0),
    32,
  );
  assert.equal(
    change.loads.reduce((sum, load) => sum + (load.after ?? 0), 0),
    32,
  );
  assert.equal(change.loads[3]!.before, undefined);
});

test('the same nodes in another order move nothing; other nodes move all', () => {
  const same = simulateNodes(
    [{ topic: 'tasks', count: 32 }],
    ['a', 'b', 'c'],
    ['c', 'a', 'b'],
    'balanced',
  ).all;
  assert.deepEqual([same.moved, same.idealShare], [0, 0]);
  const other = simulateNodes([{ topic: 'tasks', count: 32 }], ['a', 'b'], ['c', 'd'], 'balanced').all;
  assert.deepEqual([other.moved, other.share, other.idealShare], [32, 1, 1]);
  assert.equal(other.loads[0]!.after, undefined);
});
