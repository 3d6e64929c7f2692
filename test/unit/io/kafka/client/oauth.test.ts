import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import { TokenSource } from '../../../../../src/io/kafka/client/oauth.ts';
import { kafkaOptions } from '../../../../../src/io/kafka/client/options.ts';
import { KafkaLoginError } from '../../../../../src/io/kafka/errors.ts';

interface Answer {
  status?: number;
  body: string;
}

/** A token endpoint that gives `answers` one after the other, the last one for ever. */
async function endpoint(...answers: Answer[]) {
  const requests: {
    headers: IncomingMessage['headers'];
    method: string | undefined;
    form: URLSearchParams;
  }[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    requests.push({ headers: request.headers, method: request.method, form: new URLSearchParams(body) });
    const { status = 200, body: text } = answers[Math.min(requests.length, answers.length) - 1]!;
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { sasl } = kafkaOptions.parse({
    sasl: {
      mechanism: 'oauthbearer',
      token_url: `http://127.0.0.1:${port}/token`,
      oauth_client_id: 'pen:stock',
      oauth_client_secret: 's€cret/+',
      scope: 'kafka metrics',
      allow_insecure: true,
    },
  });
  const failures: unknown[] = [];
  const clock = { ms: 0 };
  const source = new TokenSource(
    sasl,
    (_, error) => failures.push(error),
    () => clock.ms,
  );
  return {
    clock,
    requests,
    failures,
    source,
    token: () => source.token(),
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const token = (access_token: string, expires_in?: number): Answer => ({
  body: JSON.stringify({ access_token, token_type: 'bearer', expires_in }),
});

describe('TokenSource', () => {
  test('asks by the client credentials grant, with encoded credentials and the scope', async () => {
    await using at = await endpoint(token('t1', 3600));
    assert.deepEqual(await at.token(), 't1');
    const { method, headers, form } = at.requests[0]!;
    assert.equal(method, 'POST');
    assert.deepEqual(Object.fromEntries(form), { grant_type: 'client_credentials', scope: 'kafka metrics' });
    const basic = Buffer.from(headers.authorization!.replace('Basic ', ''), 'base64').toString();
    assert.deepEqual(basic.split(':').map(decodeURIComponent), ['pen:stock', 's€cret/+']);
  });

  test('asks once for many connections, at the same time and later', async () => {
    await using at = await endpoint(token('t1', 3600));
    const together = await Promise.all([at.token(), at.token(), at.token()]);
    assert.deepEqual([...together, await at.token()], Array(4).fill('t1'));
    assert.equal(at.requests.length, 1);
  });

  test('fetches a new one when a fifth of its life is left; without a word on its life after four minutes', async () => {
    for (const [life, before, after] of [
      [100, 79_000, 81_000],
      [undefined, 239_000, 241_000],
    ] as const) {
      await using at = await endpoint(token('t1', life), token('t2', life));
      await at.token();
      at.clock.ms = before;
      assert.deepEqual(await at.token(), 't1');
      at.clock.ms = after;
      assert.deepEqual(await at.token(), 't2');
    }
  });

  test('goes on with a token that still holds while the endpoint is in trouble, and no longer', async () => {
    await using at = await endpoint(token('t1', 100), { status: 503, body: '' });
    await at.token();
    at.clock.ms = 95_000;
    assert.deepEqual(await at.token(), 't1');
    at.clock.ms = 101_000;
    await assert.rejects(at.token(), RetryableError);
  });

  test('says what was wrong with the answer, tries again after a pause, and gives no secret away', async () => {
    await using at = await endpoint(
      { status: 401, body: '{"error":"invalid_client"}' },
      { body: 'not JSON' },
      { body: '{"token":"elsewhere"}' },
      token('t1', 3600),
    );
    const reasons: [RegExp, unknown][] = [
      [/it answered 401 invalid_client/, KafkaLoginError],
      [/its answer has no access_token/, RetryableError],
      [/its answer has no access_token/, RetryableError],
    ];
    for (const [attempt, [reason, kind]] of reasons.entries()) {
      await assert.rejects(at.token(), (error: Error) => {
        assert.equal(error.constructor, kind);
        assert.match(
          error.message,
          /^No token from kafka\.sasl\.token_url http:\/\/127\.0\.0\.1:\d+\/token: /,
        );
        assert.match(error.message, reason);
        assert.doesNotMatch(error.message, /€cret|elsewhere|not JSON/);
        return true;
      });
      await assert.rejects(at.token());
      assert.deepEqual([at.requests.length, at.failures.length], [attempt + 1, attempt + 1]);
      at.clock.ms = 2000 * (attempt + 1);
    }
    assert.equal(await at.token(), 't1');
  });

  test('asks for another token when the broker has refused this one', async () => {
    await using at = await endpoint(token('t1', 3600), token('t2', 3600));
    at.source.refused(await at.token());
    at.source.refused('t0');
    assert.equal(await at.token(), 't2');
  });
});
