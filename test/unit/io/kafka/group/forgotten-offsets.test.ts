import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CommittedOffset, OffsetBounds } from '../../../../../src/io/kafka/admin/admin.ts';
import { AssignedPartition } from '../../../../../src/io/kafka/group/assigned-partition.ts';
import { AgedPartitions, ForgottenOffsets } from '../../../../../src/io/kafka/group/forgotten-offsets.ts';
import {
  leaderlessPartitions,
  missingTopic,
  TopicTroubleError,
} from '../../../../../src/io/kafka/topic/topic-trouble.ts';

const NOW_MS = 1_760_000_000_000;
const DAY_MS = 86_400_000;
/** A partition that has no leader. */
const LEADERLESS = 1;
const TOPIC_ID = 'a'.repeat(22);

/** A cluster with topics by name: their bounds, and the first offset that is younger than what brokers remember. */
class Cluster {
  bounds: Record<string, OffsetBounds> = {};
  young: Record<string, bigint> = {};
  committed = new Map<string, Map<number, CommittedOffset>>();
  retentionMs: number | undefined;
  askedAt: number | undefined;
  missing: string | undefined;

  async knownBounds(topic: string) {
    if (this.missing === topic) throw new TopicTroubleError(missingTopic(topic));
    const { [topic]: bounds } = this.bounds;
    return { bounds: new Map(bounds === undefined ? [] : [[0, bounds]]), unknown: [1] };
  }
  async knownOffsetsAt(topic: string, timeMs: number) {
    this.askedAt = timeMs;
    return new Map(this.young[topic] === undefined ? [] : [[0, this.young[topic]]]);
  }
  async offsetsAt(topic: string, timeMs: number, [partition]: readonly number[]) {
    if (partition === LEADERLESS) throw new TopicTroubleError(leaderlessPartitions(topic, [LEADERLESS]));
    return await this.knownOffsetsAt(topic, timeMs);
  }
  async offsetsRetentionMs() {
    return this.retentionMs;
  }
  async committedEntries() {
    return this.committed;
  }
}

describe('a partition may have been read and forgotten', () => {
  const isOld = (young: bigint | undefined, low: bigint, high: bigint) => {
    const cluster = new Cluster();
    if (young !== undefined) cluster.young = { t: young };
    return new AgedPartitions(cluster, () => NOW_MS).isOld('t', 0, { low, high });
  };

  test('where it has lost records, or has one that is older than what brokers remember', async () => {
    assert.equal(await isOld(undefined, 3n, 3n), true);
    assert.equal(await isOld(1n, 0n, 9n), true);
    assert.equal(await isOld(9n, 0n, 9n), true);
    assert.equal(await isOld(undefined, 0n, 9n), true);
    assert.equal(await isOld(0n, 0n, 9n), false, 'all it has ever had is young');
    assert.equal(await isOld(undefined, 0n, 0n), false, 'it never had a record');
  });

  test('whatever another partition of the topic is in want of', async () => {
    const cluster = new Cluster();
    cluster.young = { t: 0n };
    const aged = new AgedPartitions(cluster, () => NOW_MS);
    assert.equal(await aged.isOld('t', 0, { low: 0n, high: 9n }), false);
    await assert.rejects(aged.isOld('t', LEADERLESS, { low: 0n, high: 9n }), TopicTroubleError);
  });

  test('by the retention of the brokers, a week where they do not say', async () => {
    const cluster = new Cluster();
    const look = () => new AgedPartitions(cluster, () => NOW_MS).isOld('t', 0, { low: 0n, high: 1n });
    await look();
    assert.equal(cluster.askedAt, NOW_MS - 7 * DAY_MS);
    cluster.retentionMs = 60_000;
    await look();
    assert.equal(cluster.askedAt, NOW_MS - 60_000);
  });
});

describe('a group without a commit for a partition', () => {
  const OLD = { low: 5n, high: 9n };
  const group = { pause() {}, resume() {}, seek() {}, queueShare: () => 1, fetchShare: () => 1 };
  const ask = (cluster: Cluster, bounds = OLD, topicId = TOPIC_ID) => {
    const partition = new AssignedPartition('raw', 1, { generationId: 1, memberId: 'm' }, group);
    partition.mark = { topicId, partitions: 3, since: NOW_MS / 1000 };
    return new ForgottenOffsets(
      cluster,
      'g',
      () => ['tasks'],
      () => NOW_MS,
    ).of(partition, bounds);
  };

  test('was forgotten as a whole where what it has written is old', async () => {
    const cluster = new Cluster();
    cluster.bounds = { tasks: { low: 0n, high: 4n } };
    cluster.young = { tasks: 4n };
    assert.equal(await ask(cluster), true);
    assert.equal(await ask(cluster, { low: 0n, high: 0n }), false, 'there was nothing to read');
    cluster.young = { tasks: 0n };
    assert.equal(await ask(cluster), false, 'it is new: all that it has written is young');
    cluster.bounds = {};
    assert.equal(await ask(cluster), false, 'it has written nothing');
    cluster.missing = 'tasks';
    assert.equal(await ask(cluster), false, 'what it writes to is away');
  });

  test('was forgotten in part where other partitions say that this one was there when they began', async () => {
    const cluster = new Cluster();
    const others = (partitions: number, ageS: number) => {
      const mark = { topicId: TOPIC_ID, partitions, since: NOW_MS / 1000 - ageS };
      cluster.committed = new Map([['raw', new Map([[0, { offset: 7n, metadata: '', mark }]])]]);
    };
    others(2, 3600);
    assert.equal(await ask(cluster, { low: 0n, high: 2n }), true);
    assert.equal(await ask(cluster, OLD, 'b'.repeat(22)), false, 'that was another topic');
    others(1, 3600);
    assert.equal(await ask(cluster), false, 'the topic has grown since');
    others(2, 60);
    assert.equal(await ask(cluster), false, 'all begin now');
    cluster.committed = new Map([['other', new Map([[0, { offset: 7n, metadata: '' }]])]]);
    assert.equal(await ask(cluster), false, 'the group is new to the topic');
  });
});
