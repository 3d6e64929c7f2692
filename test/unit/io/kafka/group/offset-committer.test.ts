import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isMembershipError } from '../../../../../src/io/kafka/errors.ts';
import { AssignedPartition } from '../../../../../src/io/kafka/group/assigned-partition.ts';
import { OffsetCommitter } from '../../../../../src/io/kafka/group/offset-committer.ts';
import type { ConsumerGroupInstance } from '../../../../../src/io/kafka/patch/types.ts';

type Offsets = Parameters<ConsumerGroupInstance['commitOffsets']>[0];

/** The one call of a group member that a committer makes; each is answered by the test. */
function groupMember(generationId: number) {
  const requests: { offsets: Offsets; answer: PromiseWithResolvers<void> }[] = [];
  const member = {
    generationId,
    memberId: 'm',
    commitOffsets: (offsets: Offsets) => {
      const answer = Promise.withResolvers<void>();
      requests.push({ offsets, answer });
      return answer.promise;
    },
  };
  return { member, requests, instance: () => member as unknown as ConsumerGroupInstance };
}

function held(partition: number, generationId = 1): AssignedPartition {
  const group = { pause() {}, resume() {}, seek() {}, queueShare: () => 1, fetchShare: () => 1 };
  return new AssignedPartition('t', partition, { generationId, memberId: 'm' }, group);
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('OffsetCommitter', () => {
  test('gathers commits while one is under way, and sends them in one request', async () => {
    const { requests, instance } = groupMember(1);
    const committer = new OffsetCommitter(instance);
    const first = committer.commit(held(0), 5n);
    const others = [committer.commit(held(1), 6n), committer.commit(held(2), 7n)];
    assert.equal(requests.length, 1);
    requests[0]!.answer.resolve();
    await first;
    await settled();
    assert.deepEqual(
      requests.map(({ offsets }) => offsets),
      [
        { topics: [{ topic: 't', partitions: [{ partition: 0, offset: '5', metadata: '' }] }] },
        {
          topics: [
            {
              topic: 't',
              partitions: [
                { partition: 1, offset: '6', metadata: '' },
                { partition: 2, offset: '7', metadata: '' },
              ],
            },
          ],
        },
      ],
    );
    requests[1]!.answer.resolve();
    await Promise.all(others);
  });

  test('tells everyone whose commit failed, and goes on', async () => {
    const { requests, instance } = groupMember(1);
    const committer = new OffsetCommitter(instance);
    const failing = committer.commit(held(0), 1n);
    requests[0]!.answer.reject(new Error('coordinator away'));
    await assert.rejects(failing, /coordinator away/);
    const next = committer.commit(held(0), 1n);
    requests[1]!.answer.resolve();
    await next;
  });

  test('tells only those whose commit was refused where the answer is apart, and each its own reason', async () => {
    const { requests, instance } = groupMember(1);
    const committer = new OffsetCommitter(instance);
    const first = committer.commit(held(0), 1n);
    const [kept, large, gone] = [held(1), held(2), held(3)].map((each) => committer.commit(each, 2n));
    requests[0]!.answer.resolve();
    await first;
    const refusals = [
      { topic: 't', partition: 2, error: new Error('too large') },
      { topic: 't', partition: 3, error: new Error('no such topic') },
      { topic: 'other', partition: 1, error: new Error('of another topic') },
    ];
    requests[1]!.answer.reject(Object.assign(new Error('too large'), { refusals }));
    await kept;
    await assert.rejects(large!, /too large/);
    await assert.rejects(gone!, /no such topic/);
  });

  test('holds back what waited while the group moved on: the partition may have a next owner', async () => {
    const { member, requests, instance } = groupMember(1);
    const committer = new OffsetCommitter(instance);
    const first = committer.commit(held(0), 1n);
    const waiting = committer.commit(held(1), 2n);
    member.generationId = 2;
    requests[0]!.answer.resolve();
    await first;
    await assert.rejects(waiting, isMembershipError);
    assert.equal(requests.length, 1);
  });

  test('holds back the commit of a partition that was lost while it waited', async () => {
    const { requests, instance } = groupMember(1);
    const committer = new OffsetCommitter(instance);
    const [lost, kept] = [held(1), held(2)];
    const first = committer.commit(held(0), 1n);
    const refused = committer.commit(lost, 2n);
    const sent = committer.commit(kept, 3n);
    lost.lose();
    requests[0]!.answer.resolve();
    await first;
    await assert.rejects(refused, isMembershipError);
    assert.deepEqual(requests[1]!.offsets.topics[0]!.partitions, [
      { partition: 2, offset: '3', metadata: '' },
    ]);
    requests[1]!.answer.resolve();
    await sent;
  });

  test('refuses while there is no group', async () => {
    const committer = new OffsetCommitter(() => undefined);
    await assert.rejects(committer.commit(held(0), 1n), isMembershipError);
  });
});
