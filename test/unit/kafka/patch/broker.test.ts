import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acquaintedBroker } from '../../../../src/kafka/patch/broker.ts';

/** kafkajs' broker as far as the replacement asks it. */
class OpenBroker {
  open = true;
  lookupRequest: unknown = () => {
    throw new Error('Broker not connected');
  };

  isConnected(): boolean {
    return this.open;
  }
}

test('a broker is connected when its versions are known, and the connection is open', () => {
  const Acquainted = acquaintedBroker(OpenBroker) as typeof OpenBroker;
  const broker = new Acquainted();
  assert.equal(broker.isConnected(), false);
  broker.lookupRequest = () => 'a request';
  assert.equal(broker.isConnected(), true);
  broker.open = false;
  assert.equal(broker.isConnected(), false);
});
