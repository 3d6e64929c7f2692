import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KafkaAdmin } from '../../../../../src/io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../../../../src/io/kafka/client/connection.ts';
import { FatalKafkaError } from '../../../../../src/io/kafka/errors.ts';
import { withCluster } from '../../../../../src/io/kafka/patch/admin.ts';

const MISSING = 3;
const UNAUTHORIZED = 29;

/** A client of a cluster with these topics: their partitions, or the fault that brokers answer for them. */
function adminOf(topics: Readonly<Record<string, { partitions: number; fault?: number }>>): KafkaAdmin {
  const metadata = async ({ topics: names }: { topics: readonly string[] }) => ({
    topicMetadata: names.map((topic) => {
      const { partitions, fault = 0 } = topics[topic] ?? { partitions: 0, fault: MISSING };
      return {
        topic,
        topicErrorCode: fault,
        partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({
          partitionId,
          leader: 1,
        })),
      };
    }),
  });
  const client = withCluster(() => ({ connect: async () => undefined }))({ cluster: { metadata } as never });
  return new KafkaAdmin({ instance: () => ({ admin: () => client }) } as never as KafkaConnection);
}

test('topics that are required are refused by what is wrong with each', async () => {
  const admin = adminOf({
    ok: { partitions: 2 },
    small: { partitions: 2 },
    secret: { partitions: 0, fault: UNAUTHORIZED },
  });
  await admin.requireTopics(new Map([['ok', 2]]));
  const needed = new Map([
    ['ok', 2],
    ['small', 3],
    ['secret', 1],
    ['gone', 1],
  ]);
  await assert.rejects(admin.requireTopics(needed), (error) => {
    assert.ok(error instanceof FatalKafkaError);
    assert.match(error.message, /topic small has 2 partitions, and 3 are needed/);
    assert.match(error.message, /this user may not describe topic secret/);
    assert.match(error.message, /topic gone does not exist/);
    assert.doesNotMatch(error.message, /topic secret does not exist/);
    return true;
  });
});
