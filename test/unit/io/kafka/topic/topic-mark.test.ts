import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMark, withMark } from '../../../../../src/io/kafka/topic/topic-mark.ts';

const MARK = { topicId: 'Zk3_-bqkQy6xGm5xGQ8f2w', partitions: 12, since: 1_760_000_000 };

test('a mark stands behind any note, and is taken off it', () => {
  for (const note of ['', 'turn 3', 'turn 3 handed over', '{"from":"0"}', 'two\nlines']) {
    assert.deepEqual(readMark(withMark(note, MARK)), { note, mark: MARK });
    assert.deepEqual(readMark(withMark(note, undefined)), { note, mark: undefined });
  }
  assert.equal(withMark('', MARK), 'topic:Zk3_-bqkQy6xGm5xGQ8f2w/12/1760000000');
});

test('what is no mark is a note', () => {
  for (const note of [
    'topic:x/1/1',
    `topic:${MARK.topicId}/1`,
    `topic:${MARK.topicId}/a/1`,
    'a topic: none',
  ]) {
    assert.deepEqual(readMark(note), { note, mark: undefined });
  }
});
