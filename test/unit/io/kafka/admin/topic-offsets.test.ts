import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { askOffsets, assertAnswered } from '../../../../../src/io/kafka/admin/topic-offsets.ts';
import { kafkaErrorType } from '../../../../../src/io/kafka/errors.ts';
import type { Cluster, PartitionMetadata } from '../../../../../src/io/kafka/patch/admin.ts';
import { TopicTroubleError } from '../../../../../src/io/kafka/topic/topic-trouble.ts';

/** A topic whose partition `n` is led by `leaders[n]`, and brokers that answer unless they are in `silent`. */
class Fake implements Cluster {
  leaders: number[];
  readonly silent = new Map<number, Error>();
  readonly asked: number[][] = [];
  topicErrorCode = 0;
  refreshes = 0;
  isKnown = true;
  onRefresh = () => {};

  constructor(leaders: number[]) {
    this.leaders = leaders;
  }

  get brokerPool() {
    const partitionMetadata = this.leaders.map(
      (leader, partitionId): PartitionMetadata => ({ partitionId, leader, replicas: [1], isr: [1] }),
    );
    return {
      metadata: {
        topicMetadata: [
          { topic: this.isKnown ? 't' : 'other', topicErrorCode: this.topicErrorCode, partitionMetadata },
        ],
      },
    };
  }

  async addTargetTopic(): Promise<void> {}
  async refreshMetadataIfNecessary(): Promise<void> {}

  async refreshMetadata(): Promise<void> {
    this.refreshes += 1;
    this.onRefresh();
  }

  metadata(): never {
    throw new Error('not asked here');
  }

  async fetchTopicsOffset([question]: Parameters<Cluster['fetchTopicsOffset']>[0]) {
    const { topic, partitions, fromBeginning } = question!;
    const ids = partitions.map(({ partition }) => partition);
    this.asked.push(ids);
    const error = this.silent.get(this.leaders[ids[0]!]!);
    if (error !== undefined) throw error;
    const offset = (id: number) => String(fromBeginning ? id : 10 * id);
    return [{ topic, partitions: ids.map((partition) => ({ partition, offset: offset(partition) })) }];
  }
}

const answer = (type: string) => Object.assign(new Error(type), { type });

describe('offsets of partitions', () => {
  test('are asked of the leaders of those that are wanted, and of no others', async () => {
    const cluster = new Fake([1, 2, 2, -1]);
    const { offsets } = await askOffsets(cluster, 't', ['oldest', 'next'], [1]);
    assert.deepEqual([...offsets], [[1, [1n, 10n]]]);
    assert.deepEqual(cluster.asked, [[1], [1]]);
  });

  test('are known where nobody leads some, or one leader does not answer', async () => {
    const cluster = new Fake([1, 2, 3, -1]);
    cluster.silent.set(2, new Error('a disk is full'));
    const answers = await askOffsets(cluster, 't', ['next']);
    assert.deepEqual([...answers.offsets.keys()].sort(), [0, 2]);
    assert.deepEqual([answers.leaderless, [...answers.failed.keys()]], [[3], [1]]);
    assert.throws(
      () => assertAnswered('t', answers),
      (error: Error) => {
        assert.ok(error instanceof TopicTroubleError);
        assert.match(error.message, /^no broker leads partition 3 of topic t/);
        return kafkaErrorType(error) === 'LEADER_NOT_AVAILABLE';
      },
    );
  });

  test('are asked of another leader when the one that was known says that it is none', async () => {
    const cluster = new Fake([1, 2]);
    cluster.silent.set(2, answer('NOT_LEADER_FOR_PARTITION'));
    cluster.onRefresh = () => {
      cluster.leaders = [1, 1];
    };
    const { offsets, failed } = await askOffsets(cluster, 't', ['next']);
    assert.deepEqual([offsets.size, failed.size, cluster.refreshes], [2, 0, 1]);
    // What was answered is not asked again.
    assert.deepEqual(cluster.asked, [[0], [1], [1]]);
  });

  test('are asked for again where another question has replaced what is known', async () => {
    const cluster = new Fake([1]);
    cluster.isKnown = false;
    cluster.onRefresh = () => {
      cluster.isKnown = true;
    };
    assert.equal((await askOffsets(cluster, 't', ['next'])).offsets.size, 1);
  });

  for (const [code, type] of [
    [3, 'UNKNOWN_TOPIC_OR_PARTITION'],
    [29, 'TOPIC_AUTHORIZATION_FAILED'],
  ] as const) {
    test(`of a topic with ${type} are an error that names it`, async () => {
      const cluster = new Fake([]);
      cluster.topicErrorCode = code;
      await assert.rejects(askOffsets(cluster, 't', ['next']), (error: Error) => {
        assert.match(error.message, /topic t/);
        return error instanceof TopicTroubleError && kafkaErrorType(error) === type;
      });
    });
  }
});
