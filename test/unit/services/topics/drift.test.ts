import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicDrift } from '../../../../src/services/topics/drift.ts';
import { topicsOptions } from '../../../../src/services/topics/options.ts';
import { planTopics } from '../../../../src/services/topics/plan.ts';
import { wantedTopics } from '../../../../src/services/topics/wanted.ts';

const GIVEN = new Set(['topics.raw.retention']);

/** What is said of the ingest topic, as the cluster has it. */
function drift(settings: Readonly<Record<string, string>>): string[] {
  const wanted = wantedTopics({
    topics: topicsOptions.parse({ raw: { retention: '24h' } }),
    ingest: { topics: ['raw'], deadTopic: 'dead' },
    routes: [],
    isGiven: (path) => GIVEN.has(path.join('.')),
  }).filter(({ topic }) => topic === 'raw');
  const state = {
    partitions: 12,
    replicationFactor: 3,
    settings: new Map(
      Object.entries({
        'cleanup.policy': 'delete',
        'message.timestamp.type': 'CreateTime',
        'retention.ms': '86400000',
        ...settings,
      }),
    ),
  };
  return topicDrift(
    planTopics(wanted, { topics: new Map([['raw', state]]), defaultMaxMessageBytes: 1_048_588 }),
  );
}

test('a topic as it is configured is not spoken of, nor what only a default has otherwise', () => {
  assert.deepEqual(drift({}), []);
  assert.deepEqual(drift({ 'message.timestamp.type': 'LogAppendTime' }), []);
});

test('compaction is, though no key asks for another policy', () => {
  const [line = '', ...others] = drift({ 'cleanup.policy': 'compact' });
  assert.match(line, /^topic raw: cleanup\.policy is compact: compaction takes records/);
  assert.deepEqual(others, []);
});

test('a setting that a key asks for otherwise is', () => {
  assert.deepEqual(drift({ 'retention.ms': '3600000' }), [
    'topic raw: retention.ms is 3600000, configured is 86400000 (penstock topics plan)',
  ]);
});
