import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { decisiveConnection } from '../../../../src/kafka/patch/connection.ts';

type Login = [seconds: number, nanos: number] | null;

/** kafkajs' connection as far as the replacement asks it. Its session is always due for a renewal. */
class DueConnection {
  sasl = {};
  authenticatedAt: Login = null;
  ended = false;
  failure: Error | undefined;
  readonly authHandlers = null;
  readonly authExpectResponse = false;
  readonly requestQueue = { fulfillRequest() {} };
  readonly socket = new Socket();

  isConnected(): boolean {
    return !this.ended;
  }

  isAuthenticated(): boolean {
    return false;
  }
  async connect(): Promise<boolean> {
    return true;
  }
  async send(): Promise<unknown> {
    return undefined;
  }
  async authenticate(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.authenticatedAt = process.hrtime();
  }
  async disconnect(): Promise<boolean> {
    this.ended = true;
    this.socket.unref();
    return true;
  }
  rejectRequests(): void {}
  processData(): void {}
}

function connection(): DueConnection {
  const Decisive = decisiveConnection(DueConnection) as typeof DueConnection;
  return new Decisive();
}

test('a login is renewed when it is due, but none within two seconds of the last', () => {
  const due = connection();
  assert.equal(due.isAuthenticated(), false);
  const [seconds, nanos] = process.hrtime();
  due.authenticatedAt = [seconds - 2, nanos];
  assert.equal(due.isAuthenticated(), false);
  // A little ahead, so that a slow machine does not age it.
  due.authenticatedAt = [seconds + 60, nanos];
  assert.equal(due.isAuthenticated(), true);
});

test('a login that fails ends the connection', async () => {
  const refused = connection();
  refused.failure = new Error('refused');
  await assert.rejects(refused.authenticate(), refused.failure);
  assert.equal(refused.ended, true);
  const accepted = connection();
  await accepted.authenticate();
  assert.equal(accepted.ended, false);
});

test('a broker that is given up again and again leaves no listeners', async () => {
  const gone = connection();
  for (let attempt = 0; attempt < 20; attempt += 1) await gone.disconnect();
  assert.equal(gone.socket.listenerCount('connect'), 0);
});
