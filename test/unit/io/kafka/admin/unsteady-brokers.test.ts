import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { warnOfUnsteadyBrokers } from '../../../../../src/io/kafka/admin/brokers.ts';
import { withCluster } from '../../../../../src/io/kafka/patch/admin.ts';

/** What is said of brokers that take TxnOffsetCommit up to these versions; undefined: one that is away. */
async function said(
  versions: readonly (number | undefined)[],
): Promise<{ brokers?: string[]; msg: string }[]> {
  const lines: { brokers?: string[]; msg: string }[] = [];
  const log = pino({ level: 'info' }, { write: (text) => void lines.push(JSON.parse(text)) });
  const brokerPool = {
    findBroker: async ({ nodeId }: { nodeId: number }) => {
      const maxVersion = versions[nodeId];
      if (maxVersion === undefined) throw new Error('away');
      return { brokerAddress: `kafka-${nodeId}:9092`, versions: { 28: { maxVersion } } };
    },
  };
  const describeCluster = async () => ({ brokers: versions.map((_, nodeId) => ({ nodeId })) });
  const client = withCluster(() => ({ describeCluster }))({ cluster: { brokerPool } } as never);
  await warnOfUnsteadyBrokers({ client: async () => client as never }, log);
  return lines;
}

test('brokers that are older than Kafka 3.8 are named, with what they do', async () => {
  const lines = await said([4, 3, undefined, 3, 5]);
  assert.equal(lines.length, 1);
  assert.deepEqual(lines[0]!.brokers, ['kafka-1:9092', 'kafka-3:9092']);
  assert.match(
    lines[0]!.msg,
    /older than Kafka 3\.8: .* lose sight of a transaction; its partition then waits/,
  );
});

test('nothing is said of newer ones, nor of a cluster that is away', async () => {
  assert.deepEqual(await said([4, 5]), []);
  assert.deepEqual(await said([undefined]), []);
});
