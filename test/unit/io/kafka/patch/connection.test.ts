import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { patchConnection } from '../../../../../src/io/kafka/patch/connection.ts';

type Login = [seconds: number, nanos: number] | null;

/** kafkajs' connection as far as the replacement asks it. Its session is always due for a renewal. */
class DueConnection {
  sasl = {};
  authenticatedAt: Login = null;
  ended = false;
  failure: Error | undefined;
  answer: Error | undefined;
  readonly connectionTimeout = 1_000;
  readonly sent: unknown[] = [];
  rejected: Error | undefined;
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
  async send(protocol: object): Promise<unknown> {
    this.sent.push(protocol);
    if (this.answer !== undefined) throw this.answer;
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
  rejectRequests(error: Error): void {
    this.rejected = error;
  }
  processData(): void {}
}

function connection(): DueConnection {
  const Decisive = patchConnection(DueConnection) as typeof DueConnection;
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

const named = (name: string, message = name) => Object.assign(new Error(message), { name });

for (const [what, apiKey] of Object.entries({ ApiVersions: 18, SaslHandshake: 17, SaslAuthenticate: 36 })) {
  test(`a broker that does not answer ${what} is no connection, and the next one is asked`, async () => {
    const frozen = connection();
    frozen.answer = named('KafkaJSRequestTimeoutError', `Request ${what} timed out`);
    const request = { apiKey, encode: () => undefined };
    await assert.rejects(frozen.send({ request }), {
      name: 'KafkaJSConnectionError',
      message: frozen.answer.message,
      retriable: true,
    });
    assert.deepEqual(frozen.sent, [{ request, requestTimeout: frozen.connectionTimeout }]);
    assert.equal(frozen.ended, true);
    assert.equal(frozen.socket.destroyed, true);
    assert.equal(frozen.rejected?.name, 'KafkaJSConnectionError');
  });
}

test('a request that is not answered ends the connection, and its time is its own', async () => {
  const frozen = connection();
  frozen.authenticatedAt = process.hrtime();
  frozen.answer = named('KafkaJSRequestTimeoutError');
  const answer = frozen.send({ request: { apiKey: 10 }, requestTimeout: 7 });
  await assert.rejects(answer, { name: 'KafkaJSConnectionError' });
  assert.equal((frozen.sent[0] as { requestTimeout: number }).requestTimeout, 7);
  assert.equal(frozen.ended, true);
});

test('a broker that hangs up in the middle is no silent one', async () => {
  const gone = connection();
  gone.authenticatedAt = process.hrtime();
  gone.answer = named('KafkaJSConnectionClosedError');
  await assert.rejects(gone.send({ request: { apiKey: 10 } }), gone.answer);
});

test('an answer to ApiVersions that is an error is passed on as it is', async () => {
  const old = connection();
  old.answer = Object.assign(named('KafkaJSProtocolError'), { type: 'UNSUPPORTED_VERSION' });
  await assert.rejects(old.send({ request: { apiKey: 18 } }), old.answer);
  assert.equal(old.ended, false);
});

test('a login that breaks off is an error of the connection, one that is refused is not', async () => {
  const broken = connection();
  broken.failure = named(
    'KafkaJSSASLAuthenticationError',
    'SASL PLAIN authentication failed: Closed connection',
  );
  await assert.rejects(broken.authenticate(), { name: 'KafkaJSConnectionError' });
  const refused = connection();
  refused.failure = named(
    'KafkaJSSASLAuthenticationError',
    'SASL PLAIN authentication failed: wrong password',
  );
  await assert.rejects(refused.authenticate(), refused.failure);
});

test('a broker that is given up again and again leaves no listeners', async () => {
  const gone = connection();
  for (let attempt = 0; attempt < 20; attempt += 1) await gone.disconnect();
  assert.equal(gone.socket.listenerCount('connect'), 0);
});
