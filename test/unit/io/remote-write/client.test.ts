import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { RetryableError } from '../../../../src/core/model/errors.ts';
import { RemoteWriteClient } from '../../../../src/io/remote-write/client.ts';
import { mayHaveBeenTaken, RefusesAllError } from '../../../../src/io/remote-write/errors.ts';

type Answer = number | 'hang' | 'cut';

const TIMEOUT_MS = 200;
const BODY = Buffer.from('a record');
const NEVER = new AbortController().signal;

describe('a request that gets no answer', () => {
  /** Bodies in the order in which they came; 'empty' for a request without series. */
  let came: string[];
  /** Status of an answer, or what happens instead of one. */
  let answer: Answer | ((body: string, headers: IncomingHttpHeaders) => Answer);
  let answerHeaders: Record<string, string>;
  let server: Server;
  let client: RemoteWriteClient;

  beforeEach(async () => {
    came = [];
    answerHeaders = {};
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const text = body.equals(Buffer.of(0)) ? 'empty' : body.toString();
      came.push(text);
      const now = typeof answer === 'function' ? answer(text, request.headers) : answer;
      if (now === 'cut') request.socket.destroy();
      else if (now !== 'hang') response.writeHead(now, answerHeaders).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new RemoteWriteClient({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`,
      timeoutMs: TIMEOUT_MS,
      userAgent: 'test',
    });
  });
  afterEach(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });

  const request = () => ({ body: BODY, headers: {} });

  for (const trouble of ['hang', 'cut', 504] as const) {
    test(`(${trouble}) is not sent again before the node answers an empty one, however long that takes`, async () => {
      const sent = request();
      answer = trouble;
      await assert.rejects(client.send(sent, NEVER), (error) => mayHaveBeenTaken(error));
      for (let attempt = 0; attempt < 3; attempt += 1)
        await assert.rejects(client.send(sent, NEVER), RetryableError);
      assert.deepEqual(came, ['a record', 'empty', 'empty', 'empty']);
      answer = 204;
      assert.equal(await client.send(sent, NEVER), 204);
      assert.deepEqual(came.slice(4), ['empty', 'a record']);
    });
  }

  test('any answer to the empty one will do, also that it is refused', async () => {
    const sent = request();
    answer = 'hang';
    await assert.rejects(client.send(sent, NEVER));
    answer = 400;
    await assert.rejects(client.send(sent, NEVER), RefusesAllError);
    assert.deepEqual(came, ['a record', 'empty', 'a record', 'empty']);
  });

  test('does not hold up other requests', async () => {
    answer = 'hang';
    await assert.rejects(client.send(request(), NEVER));
    answer = 204;
    assert.equal(await client.send(request(), NEVER), 204);
    assert.deepEqual(came, ['a record', 'a record']);
  });

  test('an answer of 503, or nobody there to send it to: it was surely not taken', async () => {
    const sent = request();
    answer = 503;
    await assert.rejects(client.send(sent, NEVER), (error) => !mayHaveBeenTaken(error));
    answer = 204;
    await client.send(sent, NEVER);
    assert.deepEqual(came, ['a record', 'a record']);
    const nobody = new RemoteWriteClient({
      url: 'http://127.0.0.1:1/',
      timeoutMs: TIMEOUT_MS,
      userAgent: 'test',
    });
    await assert.rejects(nobody.send(sent, NEVER), (error) => !mayHaveBeenTaken(error));
    await nobody.close();
  });

  test('a refusal counts only at a node that takes an empty request: else the address is wrong', async () => {
    answer = 400;
    await assert.rejects(client.send(request(), NEVER), (error: Error) => {
      assert.ok(error instanceof RefusesAllError && error instanceof RetryableError);
      assert.match(error.message, /answered 400.*check the url of the node/);
      return true;
    });
    answer = (body) => (body === 'empty' ? 204 : 400);
    await assert.rejects(client.send(request(), NEVER), { reason: 'http_400' });
    await assert.rejects(client.send(request(), NEVER), { reason: 'http_400' });
    assert.equal(came.filter((body) => body === 'empty').length, 3, 'asked each time');
  });

  test('a node that has taken data a moment ago may have been restarted with another path', async () => {
    answer = 204;
    await client.send(request(), NEVER);
    answer = 400;
    await assert.rejects(client.send(request(), NEVER), RefusesAllError);
  });

  test('a refusal counts too at a node that takes no empty request, but other data between two refusals', async () => {
    answer = (body) => (body === 'good' ? 204 : 400);
    const sent = request();
    for (let attempt = 0; attempt < 3; attempt += 1)
      await assert.rejects(client.send(sent, NEVER), RefusesAllError);
    await client.send({ body: Buffer.from('good'), headers: {} }, NEVER);
    await assert.rejects(client.send(sent, NEVER), { reason: 'http_400' });
  });

  test('a pause until a date is counted by the clock of the node', async () => {
    const headers = { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'retry-after': 'Thu, 01 Jan 2026 00:00:07 GMT' };
    answer = 503;
    answerHeaders = headers;
    await assert.rejects(client.send(request(), NEVER), { retryAfterMs: 7_000 });
  });

  test('a tenant that the node does not want is the record at fault', async () => {
    answer = (_, headers) => (headers['x-scope-orgid'] === 'nobody' ? 400 : 401);
    const sent = { body: BODY, headers: { 'X-Scope-OrgID': 'nobody' } };
    await assert.rejects(client.send(sent, NEVER), { reason: 'http_400' });
    assert.deepEqual(came, ['a record', 'empty', 'empty']);
  });

  test('an outage between refusals decides nothing about the tenant', async () => {
    answer = (_, headers) => (headers['x-scope-orgid'] === 'nobody' ? 400 : 503);
    const sent = { body: BODY, headers: { 'X-Scope-OrgID': 'nobody' } };
    await assert.rejects(client.send(sent, NEVER), (error: Error) => {
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /answered 503/);
      return true;
    });
    assert.deepEqual(came, ['a record', 'empty', 'empty']);
  });

  describe('a node that is reached in another way from now on', () => {
    const to = (change: object) => ({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`,
      timeoutMs: 5_000,
      userAgent: 'test',
      ...change,
    });

    test('is sent what comes from then on with the new login; what is under way ends as it was begun', async () => {
      const logins: (string | undefined)[] = [];
      let goOn = () => {};
      const held = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      answer = (_, { authorization }) => {
        logins.push(authorization);
        return 204;
      };
      const slow = createServer((incoming, response) => {
        incoming.resume();
        void held.then(() => response.writeHead(204).end());
      });
      await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
      const moving = new RemoteWriteClient(
        to({ url: `http://127.0.0.1:${(slow.address() as AddressInfo).port}/` }),
      );
      const underWay = moving.send(request(), NEVER);
      const before = moving.generation;
      moving.prepare(to({ login: { bearer_token: 'new' } })).commit();
      assert.notEqual(moving.generation, before);
      assert.equal(await moving.send(request(), NEVER), 204);
      goOn();
      assert.equal(await underWay, 204);
      assert.deepEqual(logins, ['Bearer new']);
      await moving.close();
      slow.close();
    });

    test('what the old address has refused is no fault of the data', async () => {
      let moved = false;
      answer = (body) => {
        if (body === 'empty' || moved) return 204;
        moved = true;
        client.prepare(to({})).commit(); // while the refusal is on its way
        return 400;
      };
      const sent = request();
      await assert.rejects(client.send(sent, NEVER), RefusesAllError);
      assert.equal(await client.send(sent, NEVER), 204);
    });

    test('what got no answer at the old address waits for one to an empty request', async () => {
      const sent = request();
      answer = 'cut';
      await assert.rejects(client.send(sent, NEVER), (error) => mayHaveBeenTaken(error));
      client.prepare(to({})).commit();
      answer = 204;
      assert.equal(await client.send(sent, NEVER), 204);
      assert.deepEqual(came, ['a record', 'empty', 'a record']);
    });
  });

  test('a request that another drain may have sent waits for the answer to an empty one from the start', async () => {
    const sent = request();
    client.probeFirst(sent);
    answer = 204;
    await client.send(sent, NEVER);
    assert.deepEqual(came, ['empty', 'a record']);
  });
});
