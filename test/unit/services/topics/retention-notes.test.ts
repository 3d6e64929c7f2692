import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClusterTopics, TopicState } from '../../../../src/io/kafka/admin/topic-admin.ts';
import { retentionNotes } from '../../../../src/services/topics/retention-notes.ts';
import type { WantedTopic } from '../../../../src/services/topics/wanted.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function wanted(
  purpose: WantedTopic['purpose'],
  retentionMs: number,
  reason: 'given' | 'default' = 'default',
): WantedTopic {
  return {
    topic: purpose,
    purpose,
    partitions: 1,
    partitionsReason: 'default',
    replicationFactor: 0,
    settings: { 'retention.ms': { value: String(retentionMs), reason } },
    tasks: [],
  };
}

function cluster(
  topics: Record<string, Record<string, string>> = {},
  offsetsRetentionMs?: number,
): ClusterTopics {
  const states = Object.entries(topics).map(([topic, settings]): [string, TopicState] => [
    topic,
    { partitions: 1, replicationFactor: 1, settings: new Map(Object.entries(settings)) },
  ]);
  return { topics: new Map(states), defaultMaxMessageBytes: 1, offsetsRetentionMs };
}

const notes = (topic: WantedTopic, seen: ClusterTopics, ...others: WantedTopic[]) =>
  retentionNotes(topic, [topic, ...others], seen);

describe('notes on retention', () => {
  test('a task topic that keeps records for less long than an ingest topic', () => {
    const tasks = wanted('tasks', 12 * HOUR_MS);
    assert.match(
      notes(tasks, cluster(), wanted('ingest', DAY_MS)).join(),
      /^it keeps records for 12h and ingest for 1d: what a node does not read within 12h .* is lost to it/,
    );
    assert.deepEqual(notes(tasks, cluster(), wanted('ingest', 12 * HOUR_MS)), []);
    assert.deepEqual(notes(wanted('dead', HOUR_MS), cluster(), wanted('ingest', DAY_MS)), []);
  });

  test('what a topic has counts before the defaults, and not before what is configured', () => {
    const seen = cluster({ tasks: { 'retention.ms': String(HOUR_MS) }, ingest: { 'retention.ms': '-1' } });
    const ingest = wanted('ingest', DAY_MS);
    assert.match(
      notes(wanted('tasks', DAY_MS), seen, ingest).join(),
      /it keeps records for 1h and ingest for ever: what/,
    );
    const given = wanted('ingest', DAY_MS, 'given');
    assert.deepEqual(notes(wanted('tasks', DAY_MS, 'given'), seen, given), []);
  });

  test('a topic whose partitions are bounded in bytes', () => {
    const seen = cluster({ tasks: { 'retention.bytes': '1000000' }, dead: { 'retention.bytes': '1000000' } });
    assert.match(notes(wanted('tasks', DAY_MS), seen).join(), /^retention\.bytes is 1000000: .*read or not/);
    assert.deepEqual(notes(wanted('dead', DAY_MS), seen), []);
    const unbound = cluster({ tasks: { 'retention.bytes': '-1' } });
    assert.deepEqual(notes(wanted('tasks', DAY_MS), unbound), []);
  });

  test('a topic that takes times far ahead, unless brokers give them', () => {
    const name = 'message.timestamp.after.max.ms';
    const tell = (settings: Record<string, string>) =>
      notes(wanted('ingest', DAY_MS), cluster({ ingest: settings }));
    assert.match(tell({ [name]: '9223372036854775807' }).join(), /keeps its segment, and all behind it/);
    assert.deepEqual(tell({ [name]: String(HOUR_MS) }), []);
    assert.deepEqual(tell({ [name]: '9223372036854775807', 'message.timestamp.type': 'LogAppendTime' }), []);
  });

  test('a topic that keeps records for longer than brokers remember offsets', () => {
    const tell = (topic: WantedTopic) => notes(topic, cluster({}, 7 * DAY_MS)).join();
    assert.match(tell(wanted('ingest', 8 * DAY_MS)), /for 8d, and brokers forget .* 7d after/);
    assert.match(tell(wanted('ingest', -1)), /it keeps records for ever, and/);
    assert.equal(tell(wanted('ingest', 7 * DAY_MS)), '');
    assert.equal(tell(wanted('dead', 14 * DAY_MS)), '');
  });
});
