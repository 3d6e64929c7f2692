import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAssignment } from '../../../src/kafka/group-description.ts';
import { kafkajs } from '../../../src/kafka/patch/load.ts';

test('partitions of an assignment come by topic, in order', () => {
  const assignment = { raw: [3, 1, 10], other: [0] };
  const encoded = kafkajs.AssignerProtocol.MemberAssignment.encode({
    version: 1,
    assignment,
    userData: Buffer.alloc(0),
  });
  assert.deepEqual(
    [...decodeAssignment(encoded)],
    [
      ['raw', [1, 3, 10]],
      ['other', [0]],
    ],
  );
});

test('an assignment that is empty or cannot be read is none', () => {
  const encoded = kafkajs.AssignerProtocol.MemberAssignment.encode({
    version: 1,
    assignment: { raw: [0, 1] },
    userData: Buffer.alloc(0),
  });
  assert.equal(decodeAssignment(Buffer.alloc(0)).size, 0);
  assert.equal(decodeAssignment(encoded.subarray(0, 9)).size, 0);
  assert.equal(decodeAssignment(Buffer.alloc(64, 0xff)).size, 0);
});
