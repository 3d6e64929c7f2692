import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CommittedOffset } from '../../../../src/io/kafka/admin/admin.ts';
import { FatalKafkaError } from '../../../../src/io/kafka/errors.ts';
import {
  decodeReplay,
  encodeEntry,
  isDone,
  replayGroup,
  replayId,
  type StoredReplay,
  shareOf,
  stopGroup,
} from '../../../../src/services/replay/stored-replay.ts';

const REPLAY: StoredReplay = {
  id: 'one',
  spec: {
    topic: 'raw',
    target: { kind: 'route', route: 'http', topic: 'copy', live: false },
    match: ['{service="cart"}'],
    sample: 100,
    fromMs: 5,
    toMs: 6,
  },
  phase: 'running',
  run: 'abc',
  startedMs: 1_000,
  updatedMs: 2_000,
  counts: { records: 3, samples: 4, leftOut: 5, refused: new Map([['snappy', 2]]) },
  partitions: new Map([
    [2, { from: 10n, to: 20n, position: 15n }],
    [7, { from: 0n, to: 9_007_199_254_740_993n, position: 0n }],
  ]),
  extra: { bytes: 77 },
};

function committed(replay: StoredReplay): Map<number, CommittedOffset> {
  return new Map(
    [...replay.partitions.keys()].map((partition) => [partition, encodeEntry(replay, partition)]),
  );
}

describe('a stored replay', () => {
  test('is read as it was written; the offset is the position', () => {
    const entries = committed(REPLAY);
    assert.deepEqual(
      [...entries.values()].map(({ offset }) => offset),
      [15n, 0n],
    );
    assert.deepEqual(decodeReplay('one', entries), REPLAY);
  });

  test('keeps the twenty reasons that are met most by name', () => {
    const refused = new Map(
      Array.from({ length: 25 }, (_, index) => [`reason-${index}`, index + 1] as const),
    );
    const stored = decodeReplay('one', committed({ ...REPLAY, counts: { ...REPLAY.counts, refused } }))!;
    assert.equal(stored.counts.refused.size, 21);
    assert.equal(stored.counts.refused.get('reason-24'), 25);
    assert.equal(stored.counts.refused.get('other'), 1 + 2 + 3 + 4 + 5);
    const twice = decodeReplay('one', committed(stored))!;
    assert.equal(
      [...twice.counts.refused.values()].reduce((sum, count) => sum + count, 0),
      (25 * 26) / 2,
    );
  });

  test('is nothing where a group has other commits, or none', () => {
    assert.equal(decodeReplay('one', new Map()), undefined);
    for (const metadata of ['', '{}', 'null', '7', 'not JSON'])
      assert.equal(decodeReplay('one', new Map([[0, { offset: 5n, metadata }]])), undefined, metadata);
  });

  test('of which brokers have forgotten a part is neither whole nor none', () => {
    for (const partition of [2, 7]) {
      const entries = committed(REPLAY);
      entries.delete(partition);
      assert.throws(
        () => decodeReplay('one', entries),
        (error) =>
          error instanceof FatalKafkaError &&
          /has forgotten positions of replay one .* (2:15|7:0)\./.test(error.message),
      );
    }
  });

  test('of another version is refused', () => {
    const entries = committed(REPLAY);
    const head = entries.get(2)!;
    entries.set(2, { ...head, metadata: head.metadata.replace('"version":1', '"version":2') });
    assert.throws(() => decodeReplay('one', entries), /replay one was written by another version/);
  });

  test('is done when every partition is', () => {
    const at = (position: bigint) => ({ partitions: new Map([[0, { from: 10n, to: 20n, position }]]) });
    assert.deepEqual([isDone(at(19n)), isDone(at(20n))], [false, true]);
    assert.deepEqual([shareOf(at(10n)), shareOf(at(15n)), shareOf(at(20n))], [0, 0.5, 1]);
  });
});

test('groups of replays are told from others', () => {
  assert.equal(replayId(replayGroup('a.b')), 'a.b');
  assert.equal(replayId(stopGroup('a')), undefined);
  assert.equal(replayId('penstock.redrive.dead'), undefined);
});
