import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import {
  leaderlessPartitions,
  missingTopic,
  unauthorizedTopic,
} from '../../../../../src/io/kafka/topic/topic-trouble.ts';
import { TopicTroubles } from '../../../../../src/io/kafka/topic/topic-troubles.ts';
import { TopicWatch } from '../../../../../src/io/kafka/topic/topic-watch.ts';

function setup() {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const log = pino({ level: 'info' }, { write: (text: string) => lines.push(JSON.parse(text).msg) });
  const troubles = new TopicTroubles(log, () => clock.ms);
  return { lines, clock, troubles };
}

describe('what is wrong with topics', () => {
  test('is told once a minute, however many meet it, and when it is over', () => {
    const { lines, clock, troubles } = setup();
    for (clock.ms = 0; clock.ms < 120_000; clock.ms += 1_000) troubles.met(missingTopic('t'), 'It waits');
    assert.equal(lines.length, 2);
    assert.match(lines[0]!, /^topic t does not exist.*\. It waits$/);
    assert.deepEqual(
      troubles.current.map(({ topic, kind, seconds }) => [topic, kind, seconds]),
      [['t', 'missing', 120]],
    );
    troubles.over('t');
    troubles.over('t');
    assert.equal(lines.length, 3);
    assert.deepEqual(troubles.current, []);
  });

  test('is told at once when it is something else, and forgotten when nobody meets it', () => {
    const { lines, clock, troubles } = setup();
    troubles.met(missingTopic('t'), 'It waits');
    troubles.met(unauthorizedTopic('t', 'read'), 'It waits');
    assert.equal(lines.length, 2);
    clock.ms += 60_000;
    assert.deepEqual(troubles.current, []);
  });

  test('is looked for: topics that are not there, and partitions that nobody leads', async () => {
    const { lines, troubles } = setup();
    const led = { partitionId: 0, leader: 1, replicas: [1], isr: [1] };
    const states = new Map([
      ['gone', { partitions: [], trouble: missingTopic('gone') }],
      ['well', { partitions: [led], trouble: undefined }],
      ['half', { partitions: [led, { ...led, partitionId: 1, leader: -1 }], trouble: undefined }],
    ]);
    const watch = new TopicWatch({ topicStates: async () => states }, () => [...states.keys()], troubles);
    const kinds = async () => [...(await watch.look())].map(([topic, { kind }]) => [topic, kind]);
    assert.deepEqual(await kinds(), [
      ['gone', 'missing'],
      ['half', 'no_leader'],
    ]);
    assert.equal(lines.length, 2);
    states.set('gone', { partitions: [led], trouble: undefined });
    states.set('half', { partitions: [led], trouble: undefined });
    assert.deepEqual(await kinds(), []);
    assert.deepEqual(troubles.current, []);
    // What a look cannot see is not over because it sees nothing.
    troubles.met(unauthorizedTopic('well', 'read'), 'It waits');
    await watch.look();
    assert.equal(troubles.current.length, 1);
  });

  test("of partitions that another process reads is not this one's", async () => {
    const { troubles } = setup();
    const partitions = [{ partitionId: 4, leader: -1, replicas: [1], isr: [] }];
    const states = new Map([['t', { partitions, trouble: undefined }]]);
    const watch = new TopicWatch(
      { topicStates: async () => states },
      () => ['t'],
      troubles,
      () => false,
    );
    assert.equal((await watch.look()).size, 0);
    assert.match(leaderlessPartitions('t', [4]).message, /partition 4 of topic t/);
  });
});
