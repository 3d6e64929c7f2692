import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SilentBrokerError } from '../../../../../src/io/kafka/patch/connection.ts';
import { patchConsumerGroup } from '../../../../../src/io/kafka/patch/consumer-group.ts';
import { type GroupObserver, HOOKS } from '../../../../../src/io/kafka/patch/group-observer.ts';
import { readRecordSet } from '../../../../../src/io/kafka/patch/record-set.ts';
import type { ConsumerGroupInstance } from '../../../../../src/io/kafka/patch/types.ts';

/** The broker's answer, as kafkajs throws it. */
function answer(type: string): Error {
  return Object.assign(new Error(type), { type });
}

/** What kafkajs' runner takes as a word to stop fetching and join again. */
const REBALANCING = ['REBALANCE_IN_PROGRESS', 'NOT_COORDINATOR_FOR_GROUP', 'ILLEGAL_GENERATION'];

/** kafkajs' consumer group as far as the replacement asks it. A test says what the coordinator answers. */
class OriginalGroup {
  groupId = 'g';
  memberId: string | null = 'm';
  generationId = 1;
  maxWaitTime = 50;
  maxBytes = 9 << 20;
  maxBytesPerPartition = 1;
  nodeIds = ['1'];
  /** Heartbeats that were sent. */
  beats = 0;
  coordinator: unknown = this.coordinatorAt('old');
  offsetManager = { coordinator: this.coordinator };
  joins = 0;
  left = false;
  /** What the next calls meet; nothing more: they succeed. */
  heartbeats: (Error | Promise<never>)[] = [];
  commits: Error[] = [];
  joinAnswers: (Error | Promise<void>)[] = [];
  metadataRefreshed = 0;
  recovered: unknown[] = [];
  topicsSubscribed: readonly string[] = ['t'];
  topicConfigurations = {};
  partitionsPerSubscribedTopic = null;
  cluster = {
    addMultipleTargetTopics: async () => undefined,
    refreshMetadata: async () => {
      this.metadataRefreshed += 1;
    },
    brokerPool: { metadata: null },
    findGroupCoordinator: async () => this.coordinatorAt('new'),
  };

  coordinatorAt(broker: string) {
    const heartbeat = async () => {
      this.beats += 1;
      const next = this.heartbeats.shift();
      if (next instanceof Error) throw next;
      await next;
    };
    return { broker, heartbeat };
  }
  async commitOffsets(): Promise<void> {
    const error = this.commits.shift();
    if (error !== undefined) throw error;
  }
  async joinAndSync(): Promise<void> {
    this.joins += 1;
    const next = this.joinAnswers.shift();
    if (next instanceof Error) throw next;
    await next;
    this.generationId += 1;
    this.offsetManager = { coordinator: this.coordinator };
  }
  async leave(): Promise<void> {
    this.left = true;
  }
  batches: unknown[] = [];
  async fetch(): Promise<unknown[]> {
    return this.batches;
  }
  async recoverFromFetch(error: unknown): Promise<void> {
    this.recovered.push(error);
  }
  getNodeIds(): string[] {
    return this.nodeIds;
  }
  subscriptionState = { assignedPartitionsByTopic: {} };
  resolveOffset(): void {
    throw new TypeError('no such topic');
  }
  hasSeekOffset(): boolean {
    return false;
  }
}

function group(observer: Partial<GroupObserver> = {}): OriginalGroup & ConsumerGroupInstance {
  const Observed = patchConsumerGroup(OriginalGroup as never) as new (
    args: unknown,
  ) => OriginalGroup & ConsumerGroupInstance;
  const told = {
    mustRejoin: () => false,
    readable: async () => undefined,
    fetchBounds: () => ({ bytes: 9 << 20, waitMs: 60_000 }),
    partitionBytes: () => 1,
    room: () => ({ bytes: Number.POSITIVE_INFINITY, firstBytes: Number.POSITIVE_INFINITY }),
    metadataChanged() {},
    ...observer,
  };
  return new Observed({ assigners: [{ [HOOKS]: { observer: told, created() {} } }] });
}

const brokerOf = ({ coordinator }: { coordinator: unknown }) => (coordinator as { broker: string }).broker;
const NOW = { interval: 0 };
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a consumer group whose coordinator moves', () => {
  for (const type of [
    'NOT_COORDINATOR_FOR_GROUP',
    'GROUP_COORDINATOR_NOT_AVAILABLE',
    'GROUP_LOAD_IN_PROGRESS',
  ]) {
    test(`${type} to a commit: looked for, nobody joins again, and the commit may be tried again`, async () => {
      const member = group();
      member.commits = [answer(type)];
      await assert.rejects(
        member.commitOffsets({ topics: [] }),
        (error: Error & { type?: string; retriable?: boolean }) => {
          assert.equal(error.retriable, true);
          assert.ok(!REBALANCING.includes(error.type ?? ''));
          return true;
        },
      );
      await settled();
      assert.equal(brokerOf(member), 'new');
      assert.equal(brokerOf(member.offsetManager), 'new');
      assert.equal(member.joins, 0);
    });

    test(`${type} to a heartbeat: the same`, async () => {
      const member = group();
      member.heartbeats = [answer(type)];
      await assert.rejects(member.heartbeat(NOW), { name: 'CoordinatorMovedError', retriable: true });
      await settled();
      assert.equal(brokerOf(member), 'new');
      assert.equal(member.joins, 0);
    });

    test(`${type} to a join: tried again, not a crash`, async () => {
      const member = group();
      member.joinAnswers = [answer(type)];
      await member.joinAndSync();
      assert.equal(member.joins, 2);
    });
  }
});

describe('a consumer group that rebalances', () => {
  for (const type of ['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION']) {
    test(`${type}: the member joins beside the fetches, once, and no heartbeat fails meanwhile`, async () => {
      const member = group();
      const others = Promise.withResolvers<void>();
      member.joinAnswers = [others.promise];
      member.heartbeats = [answer(type), answer(type)];
      await member.heartbeat(NOW);
      await member.heartbeat(NOW);
      assert.equal(member.joins, 1);
      assert.deepEqual(await member.fetch(), []);
      others.resolve();
      await settled();
      assert.equal(member.generationId, 2);
    });
  }

  test('a member that is unknown is told so, since all that it had is gone', async () => {
    const member = group();
    member.heartbeats = [answer('UNKNOWN_MEMBER_ID')];
    await assert.rejects(member.heartbeat(NOW), { type: 'UNKNOWN_MEMBER_ID' });
  });

  test('an answer to the member of before says nothing of the one of now', async () => {
    const member = group();
    const late = Promise.withResolvers<never>();
    member.heartbeats = [late.promise];
    const beat = member.heartbeat(NOW);
    member.memberId = 'm2';
    late.reject(answer('UNKNOWN_MEMBER_ID'));
    await beat;
  });

  test('a member that has given something up joins again at its next heartbeat', async () => {
    let mustRejoin = true;
    const member = group({ mustRejoin: () => mustRejoin });
    await member.heartbeat(NOW);
    mustRejoin = false;
    await settled();
    await member.heartbeat(NOW);
    assert.equal(member.joins, 1);
  });

  test('a member whose topics have changed joins again at its next heartbeat, once', async () => {
    const member = group();
    await member.subscribe(['t2']);
    assert.deepEqual(member.topicsSubscribed, ['t2']);
    for (let beat = 0; beat < 2; beat += 1) {
      await member.heartbeat(NOW);
      await settled();
    }
    assert.equal(member.joins, 1);
  });

  test('topics that change while a member joins may have come too late: it joins once more', async () => {
    const member = group();
    const others = Promise.withResolvers<void>();
    member.joinAnswers = [others.promise];
    const joined = member.joinAndSync();
    await member.subscribe(['t2']);
    others.resolve();
    await joined;
    for (let beat = 0; beat < 2; beat += 1) {
      await member.heartbeat(NOW);
      await settled();
    }
    assert.equal(member.joins, 2);
  });

  test('a join that kafkajs waits for tells it of its failure, and the next heartbeat joins again', async () => {
    const member = group();
    member.joinAnswers = [answer('GROUP_AUTHORIZATION_FAILED')];
    await assert.rejects(member.joinAndSync(), { type: 'GROUP_AUTHORIZATION_FAILED' });
    await member.heartbeat(NOW);
    await settled();
    assert.equal(member.generationId, 2);
  });

  test('a join that fails is met at the next heartbeat, and tried again at the one after, though nobody asks', async () => {
    const member = group();
    member.heartbeats = [answer('REBALANCE_IN_PROGRESS')];
    member.joinAnswers = [answer('GROUP_AUTHORIZATION_FAILED')];
    await member.heartbeat(NOW);
    await settled();
    await assert.rejects(member.heartbeat(NOW), { type: 'GROUP_AUTHORIZATION_FAILED' });
    await member.heartbeat(NOW);
    await settled();
    assert.equal(member.generationId, 2);
  });

  test('a member that leaves while it joins waits for it: it would come back as another', async () => {
    const member = group();
    const others = Promise.withResolvers<void>();
    member.joinAnswers = [others.promise];
    const joined = member.joinAndSync();
    const left = (member as unknown as { leave(): Promise<void> }).leave();
    await settled();
    assert.equal(member.left, false);
    others.resolve();
    await Promise.all([joined, left]);
    assert.equal(member.left, true);
  });

  test('what a fetch brought for a topic that has gone is passed over', () => {
    const position = { topic: 't', partition: 0, offset: '5' };
    (group() as unknown as { resolveOffset(at: typeof position): void }).resolveOffset(position);
  });

  test('was heard when an accepted heartbeat was sent, or one that asks it to join again; not by a refusal', async () => {
    const member = group();
    assert.equal(member.heardMs, Number.NEGATIVE_INFINITY);
    const before = performance.now();
    await member.beat(NOW);
    assert.ok(member.heardMs >= before);
    for (const [type, known] of [
      ['REBALANCE_IN_PROGRESS', true],
      ['UNKNOWN_MEMBER_ID', false],
    ] as const) {
      const other = group();
      other.heartbeats = [answer(type)];
      await assert.rejects(other.beat(NOW), { type });
      assert.equal(other.heardMs >= before, known);
    }
  });

  test('is heard only by a heartbeat that was sent: not while none is due, nor without a membership', async () => {
    const member = group();
    await member.beat({ interval: 60_000 });
    member.memberId = null;
    await member.beat(NOW);
    assert.deepEqual([member.beats, member.heardMs], [0, Number.NEGATIVE_INFINITY]);
  });

  test("sends its heartbeats whatever becomes of the system's time", async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 7_200_000 });
    const member = group();
    for (const hour of [1, 3]) {
      t.mock.timers.setTime(hour * 3_600_000);
      const before = performance.now();
      await member.beat(NOW);
      assert.ok(member.heardMs >= before);
      await member.beat({ interval: 60_000 }); // none is due
    }
    assert.equal(member.beats, 2);
  });
});

describe('a fetch that fails', () => {
  test('at a leader that hangs, or is none any more: the leader is looked for, and nobody joins again', async () => {
    for (const error of [answer('NOT_LEADER_FOR_PARTITION'), new SilentBrokerError(new Error('timed out'))]) {
      const member = group();
      await member.recoverFromFetch(error);
      assert.deepEqual([member.metadataRefreshed, member.recovered], [1, []]);
    }
  });

  test('over a topic that is not there, or not for this user: it is named, and nobody joins again', async () => {
    for (const type of ['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED']) {
      const missing: string[] = [];
      const member = group({ topicMissing: (topic) => missing.push(topic) });
      await member.recoverFromFetch(Object.assign(answer(type), { topic: 't2' }));
      assert.deepEqual(missing, ['t2']);
      assert.deepEqual([member.metadataRefreshed, member.recovered], [1, []]);
    }
  });
});

test('what a fetch may bring is divided among the brokers, and for a partition it is what its queue has room for', async () => {
  let room = 5_000;
  const member = group({ partitionBytes: () => room });
  for (const [brokers, bytes] of [
    [1, 9 << 20],
    [3, 3 << 20],
    [30, 1 << 20],
    [1, 9 << 20],
  ] as const) {
    member.nodeIds = Array.from({ length: brokers }, (_, id) => String(id));
    room += 1;
    await member.fetch();
    assert.deepEqual([member.maxBytes, member.maxBytesPerPartition], [bytes, room]);
  }
});

test('what cannot be read is reported and thrown away, once what comes before it is taken; others go on', async () => {
  const damaged = Buffer.alloc(70, 2);
  damaged.writeInt32BE(58, 8);
  damaged.writeBigInt64BE(5n, 0);
  const formats = { decodeMessages: async () => [], lookupCodec: () => null } as never;
  const demand = { from: 5n, highWatermark: 9n, bytes: 1, firstBytes: 1 };
  const { messages: rawMessages } = await readRecordSet(damaged, demand, formats);
  const told: string[] = [];
  const member = group({
    fetched: ({ partition }) => told.push(`taken ${partition}`) > 0,
    unreadable: (topic, partition, { message }) => told.push(`${topic}/${partition}: ${message}`),
  });
  const pending = (batch: object) => ({ ...batch, read: async () => ({ ...batch, isHeldBack: false }) });
  const other = { topic: 't', partition: 1, rawMessages: [] };
  member.batches = [pending({ topic: 't', partition: 0, rawMessages }), pending(other)];
  assert.deepEqual(await member.fetch(), [{ ...other, isHeldBack: false }]);
  assert.deepEqual(told, ['t/0: the record batch at offset 5: its checksum is wrong', 'taken 1']);
});
