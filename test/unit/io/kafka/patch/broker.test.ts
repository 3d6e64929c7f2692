import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FatalKafkaError } from '../../../../../src/io/kafka/errors.ts';
import { patchBroker } from '../../../../../src/io/kafka/patch/broker.ts';

/** kafkajs' broker as far as the replacement asks it. */
class OpenBroker {
  open = true;
  brokerAddress = 'kafka:9092';
  versions: Record<number, { maxVersion: number }> = { 9: { maxVersion: 7 }, 28: { maxVersion: 3 } };
  lookupRequest: unknown = () => {
    throw new Error('Broker not connected');
  };

  async connect(): Promise<void> {
    this.lookupRequest = () => 'a request';
  }

  isConnected(): boolean {
    return this.open;
  }
}

const Acquainted = patchBroker(OpenBroker) as typeof OpenBroker;

test('a broker is connected when its versions are known, and the connection is open', async () => {
  const broker = new Acquainted();
  assert.equal(broker.isConnected(), false);
  await broker.connect();
  assert.equal(broker.isConnected(), true);
  broker.open = false;
  assert.equal(broker.isConnected(), false);
});

test('a broker without what exactly once needs is refused', async () => {
  const refused = async (versions: OpenBroker['versions']) => {
    const broker = new Acquainted();
    broker.versions = versions;
    const error = await broker.connect().catch((reason: unknown) => reason);
    assert.ok(error instanceof FatalKafkaError, String(error));
    return error.message;
  };
  const [fetch, commit] = [{ maxVersion: 9 }, { maxVersion: 4 }];
  assert.equal(
    await refused({ 9: { maxVersion: 6 }, 28: commit }),
    'Kafka at kafka:9092 is too old: it has OffsetFetch up to version 6, and version 7, which reads offsets of ' +
      'transactions that are settled, is needed. All brokers have to be Kafka 2.5 or newer.',
  );
  assert.match(await refused({ 9: fetch, 28: { maxVersion: 2 } }), /it has TxnOffsetCommit up to version 2/);
  assert.match(await refused({ 9: fetch }), /it has no TxnOffsetCommit/);
});
