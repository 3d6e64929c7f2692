import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cluster, patchCluster } from '../../../../../src/io/kafka/patch/fetch-plan.ts';

/** kafkajs' own, as long as nothing here loads the replacements. */
const Original = createRequire(import.meta.url)('kafkajs/src/cluster/index.js') as new (
  options: object,
) => Cluster & { brokerPool: { metadata: unknown } };
const Indexed = patchCluster(Original);

const logger = { namespace: () => logger };
const OPTIONS = { logger, brokers: ['127.0.0.1:1'], retry: {}, clientId: 'test' };

function metadata(leaders: readonly (number | null)[]) {
  const partitionMetadata = leaders.map((leader, partitionId) => ({ partitionId, leader }));
  return { topicMetadata: [{ topic: 't', partitionMetadata }] };
}

test('the leaders are what kafkajs works out, for any partitions, before and after they move', () => {
  const leaders = fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 12 });
  const asked = fc.array(fc.oneof(fc.nat(15), fc.nat(15).map(String)), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.tuple(leaders, asked), { minLength: 1, maxLength: 4 }), (states) => {
      const clusters = [new Original(OPTIONS), new Indexed(OPTIONS)] as const;
      for (const [leads, partitions] of states) {
        for (const cluster of clusters) cluster.brokerPool.metadata = metadata(leads);
        const [expected, found] = clusters.map((cluster) => cluster.findLeaderForPartitions('t', partitions));
        assert.deepEqual(found, expected);
        assert.deepEqual(clusters[1].findLeaderForPartitions('t', partitions), expected);
      }
    }),
  );
});

test('metadata without a leader, and none at all, are told as kafkajs tells them', () => {
  const cluster = new Indexed(OPTIONS);
  assert.throws(() => cluster.findLeaderForPartitions('t', [0]), { name: 'KafkaJSTopicMetadataNotLoaded' });
  cluster.brokerPool.metadata = metadata([1, null]);
  assert.deepEqual(cluster.findLeaderForPartitions('t', [0]), { 1: [0] });
  assert.throws(() => cluster.findLeaderForPartitions('t', [0, 1]), /Invalid partition metadata/);
  assert.deepEqual(cluster.findLeaderForPartitions('other', [0]), {});
});
