import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  arrayDifference,
  type Cluster,
  type FetchingGroup,
  patchCluster,
  patchFetches,
} from '../../../../../src/io/kafka/patch/fetch-plan.ts';

/** kafkajs' own, as long as nothing here loads the replacements. */
const Original = createRequire(import.meta.url)('kafkajs/src/consumer/consumerGroup.js') as new (
  options: object,
) => FetchingGroup;
const Planned = patchFetches(Original);

type Leaders = Readonly<Record<string, readonly number[]>>;

/** A cluster as kafkajs' group asks it, without the index. It counts how often a topic's partitions are gone through. */
class PlainCluster implements Cluster {
  brokerPool = { metadata: {} };
  questions = 0;
  leaders: Leaders;

  constructor(leaders: Leaders) {
    this.leaders = leaders;
  }

  refreshed(leaders: Leaders): void {
    this.leaders = leaders;
    this.brokerPool.metadata = {};
  }

  findTopicPartitionMetadata(topic: string) {
    this.questions += 1;
    return (this.leaders[topic] ?? []).map((leader, partitionId) => ({ partitionId, leader }));
  }

  findLeaderForPartitions(): never {
    throw new Error('the index answers');
  }
}

const IndexedCluster = patchCluster(PlainCluster);

interface Member extends FetchingGroup {
  filterPartitionsByNode(nodeId: string, partitions: { topic: string; partitions: number[] }[]): object[];
  subscriptionState: {
    assign(partitions: object[]): void;
    assigned(): { topic: string; partitions: number[] }[];
  };
  partitionsPerSubscribedTopic: FetchingGroup['partitionsPerSubscribedTopic'];
  preferredReadReplicasPerTopicPartition: Record<string, Record<number, unknown>>;
  generatePartitionsPerSubscribedTopic(): Map<string, number[]>;
}

function member(Group: typeof Original, cluster: PlainCluster): Member {
  const logger = { namespace: () => logger, debug: () => undefined, info: () => undefined };
  return new Group({ cluster, logger, topics: ['a', 'b'], topicConfigurations: {}, assigners: [] }) as Member;
}

const leaders = fc.record({
  a: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 12 }),
  b: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 12 }),
});
const assignment = fc.record({
  a: fc.uniqueArray(fc.nat(14), { maxLength: 10 }),
  b: fc.uniqueArray(fc.nat(14), { maxLength: 10 }),
});

describe('what a fetch asks for', () => {
  test('is what kafkajs works out, whatever is assigned and whoever leads, now and after changes', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ leaders, assignment }), { minLength: 1, maxLength: 5 }), (states) => {
        const cluster = new IndexedCluster({});
        const members = [member(Original, cluster), member(Planned, cluster)] as const;
        for (const state of states) {
          cluster.refreshed(state.leaders);
          for (const each of members) {
            each.subscriptionState.assign(
              Object.entries(state.assignment).map(([topic, partitions]) => ({
                topic,
                partitions: [...partitions],
              })),
            );
          }
          for (const node of ['1', '2', '3', '1']) {
            const [expected, planned] = members.map((each) =>
              each.filterPartitionsByNode(node, each.subscriptionState.assigned()),
            );
            assert.deepEqual(planned, expected);
          }
        }
      }),
    );
  });

  test('follows a replica that a broker has told to ask', () => {
    const group = member(Planned, new IndexedCluster({ a: [1, 1], b: [1] }));
    group.subscriptionState.assign([{ topic: 'a', partitions: [0, 1] }]);
    assert.deepEqual(group.filterPartitionsByNode('2', group.subscriptionState.assigned()), [
      { topic: 'a', partitions: [] },
    ]);
    group.preferredReadReplicasPerTopicPartition['a'] = { 1: { nodeId: 2, expireAt: Date.now() + 60_000 } };
    assert.deepEqual(group.filterPartitionsByNode('2', group.subscriptionState.assigned()), [
      { topic: 'a', partitions: [1] },
    ]);
  });

  test('is worked out once, not at each fetch', () => {
    const cluster = new IndexedCluster({ a: Array.from({ length: 10_000 }, (_, n) => n % 3), b: [1] });
    const group = member(Planned, cluster);
    group.subscriptionState.assign([
      { topic: 'a', partitions: Array.from({ length: 500 }, (_, n) => n * 20) },
    ]);
    group.partitionsPerSubscribedTopic = group.generatePartitionsPerSubscribedTopic();
    const fetch = () => {
      group.checkForStaleAssignment();
      return group.filterPartitionsByNode('1', group.subscriptionState.assigned());
    };
    fetch();
    const before = cluster.questions;
    for (let fetches = 0; fetches < 100; fetches += 1) fetch();
    assert.equal(cluster.questions, before);
  });
});

describe('a topic that has grown', () => {
  test('is seen at the first fetch after the metadata, and at each until the group has joined again', () => {
    const cluster = new IndexedCluster({ a: [1, 2], b: [1] });
    const group = member(Planned, cluster);
    group.partitionsPerSubscribedTopic = group.generatePartitionsPerSubscribedTopic();
    group.checkForStaleAssignment();
    cluster.refreshed({ a: [1, 2, 3], b: [1] });
    const stale = { name: 'KafkaJSStaleTopicMetadataAssignment' };
    assert.throws(() => group.checkForStaleAssignment(), stale);
    assert.throws(() => group.checkForStaleAssignment(), stale);
    group.partitionsPerSubscribedTopic = group.generatePartitionsPerSubscribedTopic();
    group.checkForStaleAssignment();
  });
});

test('a difference of lists is in the order of the first', () => {
  assert.deepEqual(arrayDifference(['c', 'a', 'b', 'a'], ['b']), ['c', 'a', 'a']);
});
