import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { decisiveConnection } from '../../../../src/kafka/patch/connection.ts';

type Login = [seconds: number, nanos: number] | null;

/** kafkajs' connection as far as the replacement asks it. Its session is always due for a renewal. */
class DueConnection {
  readonly connectionTimeout = 10_000;
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
  sockets = 0;

  async connect(): Promise<boolean> {
    this.sockets += 1;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure !== undefined) throw this.failure;
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

test('one socket is opened for all that wait for it, and another when that has failed', async () => {
  const broker = connection();
  broker.failure = new Error('refused');
  const first = await Promise.allSettled([broker.connect(), broker.connect(), broker.connect()]);
  assert.deepEqual(new Set(first.map(({ status }) => status)), new Set(['rejected']));
  assert.equal(broker.sockets, 1);
  broker.failure = undefined;
  assert.deepEqual(await Promise.all([broker.connect(), broker.connect()]), [true, true]);
  assert.equal(broker.sockets, 2);
});
