import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import type { OutgoingRecord } from '../../../../../src/core/model/records.ts';
import type { KafkaAdmin, TopicState } from '../../../../../src/io/kafka/admin/admin.ts';
import { FatalKafkaError, RecordsRefusedError } from '../../../../../src/io/kafka/errors.ts';
import { type Holder, OutputTopics } from '../../../../../src/io/kafka/topic/output-topics.ts';
import { missingTopic, TopicTroubleError } from '../../../../../src/io/kafka/topic/topic-trouble.ts';
import { TopicTroubles } from '../../../../../src/io/kafka/topic/topic-troubles.ts';

const PARTITIONS = [0, 1].map((partitionId) => ({ partitionId, leader: 1, replicas: [1], isr: [1] }));
const WELL: TopicState = { partitions: PARTITIONS, trouble: undefined };
const MISSING: TopicState = { partitions: [], trouble: missingTopic('b') };

function record(topic: string, partition = 0): OutgoingRecord {
  return { topic, partition, key: null, value: Buffer.from('x'), headers: {}, timestamp: 0 };
}

/** Two topics of two partitions, `a` and `b`, as brokers tell of them. */
class Cluster {
  readonly states = new Map([
    ['a', WELL],
    ['b', WELL],
  ]);
  readonly limits = new Map([
    ['a', 1_000_000],
    ['b', 1_000_000],
  ]);
  readonly lines: string[] = [];
  readonly outputs: OutputTopics;
  readonly troubles: TopicTroubles;

  constructor() {
    const admin = {
      topicStates: async (topics: string[]) =>
        new Map(topics.map((topic) => [topic, this.states.get(topic)!])),
      maxMessageBytes: async ([topic]: string[]) => new Map([[topic!, this.limits.get(topic!)!]]),
    };
    const log = pino({ level: 'info' }, { write: (line: string) => this.lines.push(JSON.parse(line).msg) });
    this.troubles = new TopicTroubles(log);
    this.outputs = new OutputTopics(admin as unknown as KafkaAdmin, this.troubles);
  }

  async use(): Promise<this> {
    const needed = ['a', 'b'].map((topic) => ({ topic, partitions: 2 }));
    this.outputs.use(needed, await this.outputs.look(needed));
    return this;
  }

  /** What a write of these records that fails with `error` throws. */
  async refusal(error: unknown, records: OutgoingRecord[], by = holder()): Promise<unknown> {
    return await this.outputs
      .write(records, by, () => Promise.reject(error))
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
  }

  blocks(topic: string, partition = 0): boolean {
    return this.outputs.blocking([record(topic, partition)], holder()) !== undefined;
  }
}

function holder(): Holder {
  return { active: true, ending: new AbortController().signal, trouble: undefined };
}

/** An answer of a broker that names what it is about. */
function answer(type: string, topic: string, partition: number): Error {
  return Object.assign(new Error(type), { type, topic, partition });
}

describe('topics that are written to', () => {
  test('one that is missing blocks what needs it, and is named', async () => {
    const cluster = new Cluster();
    cluster.states.set('b', MISSING);
    await cluster.use();
    assert.deepEqual([cluster.blocks('a'), cluster.blocks('b')], [false, true]);
    assert.match(cluster.lines.join(), /^topic b does not exist; .* others go on/);
    cluster.outputs.close();
  });

  test('a partition that nobody leads blocks what goes there', async () => {
    const cluster = new Cluster();
    const [first] = PARTITIONS;
    cluster.states.set('b', {
      partitions: [first!, { ...first!, partitionId: 1, leader: -1 }],
      trouble: undefined,
    });
    await cluster.use();
    assert.deepEqual([cluster.blocks('b', 0), cluster.blocks('b', 1)], [false, true]);
    cluster.outputs.close();
  });

  for (const [type, kind] of [
    ['TOPIC_AUTHORIZATION_FAILED', 'unauthorized'],
    ['NOT_ENOUGH_REPLICAS', 'too_few_replicas'],
  ] as const) {
    test(`the topic that an answer names is at fault (${type}), not others of the step`, async () => {
      const cluster = await new Cluster().use();
      const error = await cluster.refusal(answer(type, 'b', 1), [record('a'), record('b', 1)]);
      assert.ok(error instanceof TopicTroubleError, String(error));
      assert.deepEqual([error.trouble.topic, error.trouble.kind], ['b', kind]);
      assert.deepEqual([cluster.blocks('a', 1), cluster.blocks('b', 1)], [false, true]);
      cluster.outputs.close();
    });
  }

  test('an error that names none leads to a look at the topics of the step', async () => {
    const cluster = await new Cluster().use();
    cluster.states.set('b', MISSING);
    const error = await cluster.refusal(new FatalKafkaError('no partition'), [record('a'), record('b')]);
    assert.ok(error instanceof TopicTroubleError);
    assert.equal(error.trouble.topic, 'b');
    // With nothing found it is tried again, and ends no process.
    cluster.states.set('b', WELL);
    const other = await cluster.refusal(new FatalKafkaError('no partition'), [record('a')]);
    assert.ok(other instanceof RetryableError && !(other instanceof TopicTroubleError), String(other));
    cluster.outputs.close();
  });

  test('a record is refused for good only by a limit that was known, and is not tiny', async () => {
    const cluster = await new Cluster().use();
    const refused = new RecordsRefusedError('message_too_large', 'too large', { topic: 'b' });
    assert.equal(await cluster.refusal(refused, [record('b')]), refused);
    cluster.limits.set('b', 500_000);
    const lowered = await cluster.refusal(refused, [record('b')]);
    assert.ok(lowered instanceof RetryableError && !(lowered instanceof TopicTroubleError));
    assert.equal(cluster.outputs.maxMessageBytes('b'), 500_000);
    cluster.limits.set('b', 1_000);
    const tiny = await cluster.refusal(refused, [record('b')]);
    assert.ok(tiny instanceof TopicTroubleError);
    assert.equal(tiny.trouble.kind, 'small_max_message_bytes');
    // By that limit every series would be too large for a record, and be set aside.
    assert.equal(cluster.outputs.maxMessageBytes('b'), 64 * 1024);
    cluster.outputs.close();
  });

  test('when it is as it should be one that waits tries, and all go on when that has written', async () => {
    const cluster = await new Cluster().use();
    cluster.states.set('b', MISSING);
    const [first, second] = [holder(), holder()];
    await cluster.refusal(new Error('no metadata'), [record('b')], first);
    const order: string[] = [];
    const written = Promise.withResolvers<void>();
    const write = (name: string, by: Holder) =>
      cluster.outputs.write([record('b')], by, async () => {
        order.push(`${name} tries`);
        if (name === 'first') await written.promise;
      });
    const writes = [write('first', first), write('second', second)];
    await setImmediate();
    assert.equal(first.trouble?.topic, 'b');
    cluster.states.set('b', WELL);
    while (order.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(order, ['first tries']);
    written.resolve();
    assert.deepEqual(await Promise.all(writes), [true, true]);
    assert.deepEqual(order, ['first tries', 'second tries']);
    assert.equal(cluster.blocks('b'), false);
    assert.deepEqual(cluster.troubles.current, []);
    assert.match(cluster.lines.at(-1)!, /^the topic can be used again/);
  });

  test('who ends while it waits is told that nothing was written', async () => {
    const cluster = new Cluster();
    cluster.states.set('b', MISSING);
    await cluster.use();
    const ending = new AbortController();
    const by = { active: true, ending: ending.signal, trouble: undefined };
    const write = cluster.outputs.write([record('b')], by, () => assert.fail('it is not to be sent'));
    by.active = false;
    ending.abort();
    assert.equal(await write, false);
    cluster.outputs.close();
  });
});
