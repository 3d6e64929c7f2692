import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PartitionDigests } from '../../chaos/partition-digests.ts';

function digests(...records: [number, string, string][]): PartitionDigests {
  const all = new PartitionDigests();
  for (const [partition, offset, value] of records) all.add(partition, offset, Buffer.from(value));
  return all;
}

test('two readers differ in the partitions in which one has another record, offset or order', () => {
  const base = digests([0, '1', 'a'], [0, '2', 'b'], [1, '1', 'c']);
  assert.deepEqual(base.differences(digests([1, '1', 'c'], [0, '1', 'a'], [0, '2', 'b'])), []);
  const differs = (...records: [number, string, string][]) => base.differences(digests(...records)).length;
  assert.equal(differs([0, '1', 'a'], [1, '1', 'c']), 1);
  assert.equal(differs([0, '1', 'a'], [0, '3', 'b'], [1, '1', 'c']), 1);
  assert.equal(differs([0, '1', 'a'], [0, '2', 'x'], [1, '1', 'c'], [2, '1', 'd']), 2);
});
