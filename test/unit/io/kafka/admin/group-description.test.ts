import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeAssignment,
  type GroupDescription,
  mayHold,
} from '../../../../../src/io/kafka/admin/group-description.ts';
import { claimsOf } from '../../../../../src/io/kafka/group/assigner.ts';
import { kafkajs } from '../../../../../src/io/kafka/patch/load.ts';

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

function group(state: string, assigned: number[], claimed: number[]): GroupDescription {
  const member = { member: 'm', client: 'c', host: 'h' };
  const partitions = new Map([['tasks', assigned]]);
  return { state, members: [{ ...member, partitions, claims: new Map([['tasks', claimed]]) }] };
}

test('a partition may be held by who has it, who has not finished giving it up, and a group in a rebalance', () => {
  assert.equal(mayHold(group('Stable', [1], []), 'tasks', 1), true);
  assert.equal(mayHold(group('Stable', [], [1]), 'tasks', 1), true);
  assert.equal(mayHold(group('Stable', [2], [3]), 'tasks', 1), false);
  assert.equal(mayHold(group('Stable', [1], [1]), 'other', 1), false);
  assert.equal(mayHold(group('PreparingRebalance', [], []), 'tasks', 1), true);
  assert.equal(mayHold({ state: 'Empty', members: [] }, 'tasks', 1), false);
});

test('the claims of a member are read from what it joined with; other programs make none', () => {
  const { encode } = kafkajs.AssignerProtocol.MemberMetadata;
  const metadata = (userData: Buffer) => encode({ version: 1, topics: ['tasks'], userData });
  const joined = metadata(Buffer.from(JSON.stringify({ generation: 3, owned: { tasks: [4, 2] } })));
  assert.deepEqual(claimsOf(joined), new Map([['tasks', [4, 2]]]));
  assert.equal(claimsOf(metadata(Buffer.alloc(0))).size, 0);
  assert.equal(claimsOf(Buffer.alloc(0)).size, 0);
});
