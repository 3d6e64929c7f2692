/** Names of groups and transactional ids that Penstock makes of others: two of them must never come out the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { skipGroup } from '../../src/io/kafka/group/corrupt-batches.ts';
import { transactionalId } from '../../src/io/kafka/produce/transactional-producer.ts';
import {
  drainGroupId,
  formerDrainGroupPrefix,
  isDrainGroup,
  nodeOfDrainGroup,
} from '../../src/services/drain/assignment.ts';
import { replayGroup, stopGroup } from '../../src/services/replay/stored-replay.ts';

/** Short, of the characters at which names run together and of words that others begin with. */
const text = (...parts: string[]) =>
  fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }).map((some) => some.join(''));
const topics = text('a', '1', '.', '-', '_', 'drain', 'skip', 'replay', 'penstock');
const nodes = text('a', '1', '.', '-', '_', ':');
const groups = text('a', '1', '.', '-', '_', ':', '/', ' ', 'penstock');
const partitions = fc.nat(12);

test('a drain group is that of one topic and one node, which can be read from it', () => {
  fc.assert(
    fc.property(topics, nodes, topics, nodes, (topic, node, otherTopic, otherNode) => {
      const group = drainGroupId(topic, node);
      assert.equal(nodeOfDrainGroup(topic, group), node);
      assert.ok(isDrainGroup(topic, group));
      if (topic === otherTopic && node === otherNode) return;
      assert.notEqual(group, drainGroupId(otherTopic, otherNode));
      if (topic !== otherTopic) assert.ok(!group.startsWith(drainGroupId(otherTopic, '')));
    }),
    { numRuns: 2_000 },
  );
});

test('no other group of Penstock is called as one of a drain, nor was one before', () => {
  fc.assert(
    fc.property(topics, nodes, topics, nodes, topics, (topic, node, otherTopic, otherNode, id) => {
      const group = drainGroupId(topic, node);
      const others = [`${formerDrainGroupPrefix(otherTopic)}${otherNode}`, replayGroup(id), stopGroup(id)];
      for (const other of [...others, skipGroup(group), skipGroup(drainGroupId(otherTopic, otherNode))])
        assert.notEqual(group, other);
    }),
    { numRuns: 2_000 },
  );
});

test('the group of a node that an earlier version made is known by its topic', () => {
  assert.ok(isDrainGroup('metrics.tasks', 'penstock.metrics.tasks.vmagent.0'));
  assert.equal(nodeOfDrainGroup('metrics.tasks', 'penstock.metrics.tasks.vmagent.0'), 'vmagent.0');
  assert.ok(!isDrainGroup('metrics.tasks', 'penstock.metrics.other.vmagent.0'));
});

test('a transactional id is that of one group, topic and partition, and no id of before', () => {
  const all = fc.tuple(groups, topics, partitions);
  fc.assert(
    fc.property(all, all, (one, other) => {
      const [group, topic, partition] = other;
      assert.notEqual(transactionalId(...one), `${group}-${topic}-${partition}`);
      if (JSON.stringify(one) === JSON.stringify(other)) return;
      assert.notEqual(transactionalId(...one), transactionalId(...other));
    }),
    { numRuns: 2_000 },
  );
});
