import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AssignedPartition } from '../../../../../src/io/kafka/group/assigned-partition.ts';
import { HeldPartitions } from '../../../../../src/io/kafka/group/held-partitions.ts';

const GROUP = { pause() {}, resume() {}, seek() {}, queueShare: () => 1, fetchShare: () => 1 };
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Partitions whose work lasts until `finish`, also when they drain: something is in flight. */
function setup() {
  const begun: AssignedPartition[] = [];
  const finish = new Map<AssignedPartition, () => void>();
  const failures: unknown[] = [];
  const held = new HeldPartitions({
    group: GROUP,
    consume: (partition) => {
      begun.push(partition);
      return new Promise((resolve) => finish.set(partition, resolve));
    },
    onFailure: (error) => failures.push(error),
  });
  const join = (generationId: number, partitions: number[], memberId = 'm') =>
    held.assigned({ generationId, memberId }, { t: partitions });
  const end = async (partition: AssignedPartition) => {
    finish.get(partition)!();
    await settled();
  };
  return { held, begun, join, end };
}

describe('held partitions', () => {
  test('go on as they are when they are assigned again, also after a generation that was missed', async () => {
    const { held, begun, join } = setup();
    join(1, [0, 1]);
    const before = held.partitions;
    join(2, [0, 1]);
    join(5, [0, 1]);
    await settled();
    assert.deepEqual(held.partitions, before);
    assert.equal(begun.length, 2);
    assert.ok(before.every(({ active, membership }) => active && membership.generationId === 5));
    assert.equal(held.mustRejoin, false);
  });

  test('one that is to move finishes first, is claimed until then, and then has the member join again', async () => {
    const { held, begun, join, end } = setup();
    join(1, [0, 1]);
    await settled();
    const moving = begun[1]!;
    join(2, [0]);
    assert.equal(moving.state, 'draining');
    assert.equal(moving.membership.generationId, 2);
    assert.deepEqual(
      held.partitions.map(({ partition }) => partition),
      [0],
    );
    assert.deepEqual(held.claims('m'), { generation: 2, owned: { t: [0, 1] } });
    assert.equal(held.mustRejoin, false);
    await end(moving);
    assert.equal(held.mustRejoin, true);
    assert.deepEqual(held.claims('m'), { generation: 2, owned: { t: [0] } });
    assert.equal(held.mustRejoin, false);
  });

  test('one on its way commits in later generations too, and is lost with the membership', async () => {
    const { held, begun, join } = setup();
    join(1, [0, 1]);
    await settled();
    const moving = begun[1]!;
    join(2, [0]);
    join(3, [0]);
    assert.equal(moving.membership.generationId, 3);
    held.loseAll();
    assert.equal(moving.state, 'lost');
    assert.deepEqual(held.claims('m').owned, {});
  });

  test('one that is given back while it finishes begins anew after that', async () => {
    const { held, begun, join, end } = setup();
    join(1, [0]);
    await settled();
    const [first] = begun as [AssignedPartition];
    join(2, []);
    join(3, [0]);
    await settled();
    assert.deepEqual(begun, [first]);
    assert.deepEqual(held.claims('m').owned, { t: [0] });
    await end(first);
    assert.equal(begun.length, 2);
    assert.notEqual(begun[1], first);
    assert.equal(held.mustRejoin, false);
  });

  test('given up again at once, both ends are waited for', async () => {
    const { held, begun, join, end } = setup();
    join(1, [0]);
    await settled();
    const [first] = begun as [AssignedPartition];
    join(2, []);
    join(3, [0]);
    join(4, []);
    assert.equal(first.membership.generationId, 4);
    assert.equal(held.mustRejoin, false);
    await end(first);
    assert.equal(held.mustRejoin, true);
    assert.equal(begun.length, 1);
  });

  test('a member with another id keeps nothing and claims nothing', async () => {
    const { held, begun, join } = setup();
    join(1, [0, 1]);
    await settled();
    const before = held.partitions;
    assert.deepEqual(held.claims(null), { generation: -1, owned: {} });
    join(7, [0], 'm2');
    assert.ok(before.every(({ state }) => state === 'lost'));
    assert.equal(held.partitions[0]!.state, 'opening');
    assert.equal(begun.length, 2);
  });

  test('what comes while the process stops is not begun, and nobody joins again', async () => {
    const { held, begun, join, end } = setup();
    join(1, [0, 1]);
    await settled();
    const stopped = held.drainAll();
    join(2, [1, 2]);
    assert.deepEqual(held.unfinished.map(({ partition }) => partition).sort(), [0, 1, 2]);
    for (const partition of [...begun]) await end(partition);
    await stopped;
    assert.equal(held.mustRejoin, false);
    assert.deepEqual(held.unfinished, []);
    assert.equal(begun.length, 2);
  });
});
