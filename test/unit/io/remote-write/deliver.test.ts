import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { PoisonError, type RetryableError } from '../../../../src/core/model/errors.ts';
import { uncompress } from '../../../../src/core/wire/snappy.ts';
import { RemoteWriteClient, retryAfterMs } from '../../../../src/io/remote-write/client.ts';
import {
  type DeliverOptions,
  DeliveryStoppedError,
  deliver,
} from '../../../../src/io/remote-write/deliver.ts';
import { namedSeries, writeRequest } from '../../../lab/generator/write-request.ts';

/** A receiver that answers as a test says, and keeps the names of the series that it accepted. */
let answer: (names: string[], attempt: number) => { code: number; headers?: Record<string, string> };
let accepted: string[];
let attempts: number;
let server: Server;
let client: RemoteWriteClient;

function seriesNames(body: Buffer): string[] {
  return [
    ...uncompress(body, 1e6)
      .toString('latin1')
      .matchAll(/series_\d+/g),
  ].map(([name]) => name);
}

function body(count: number): Buffer {
  return writeRequest(namedSeries(Array.from({ length: count }, (_, index) => `series_${index}`)));
}

before(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const names = seriesNames(Buffer.concat(chunks));
      attempts += 1;
      const { code, headers } = answer(names, attempts);
      if (code < 300) accepted.push(...names);
      response.writeHead(code, headers).end(code < 300 ? '' : `no: ${code}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  client = new RemoteWriteClient({
    url: `http://127.0.0.1:${port}/api/v1/write`,
    timeoutMs: 20_000,
    userAgent: 'test',
    login: {},
  });
});

after(async () => {
  await client?.close();
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  accepted = [];
  attempts = 0;
});

function options(changes: Partial<DeliverOptions> = {}): DeliverOptions & { retries: RetryableError[] } {
  const retries: RetryableError[] = [];
  return {
    send: (request, signal) => client.send(request, signal),
    backoffMinMs: 1,
    backoffMaxMs: 5,
    signal: new AbortController().signal,
    active: () => true,
    onRetry: (error) => retries.push(error),
    retries,
    ...changes,
  };
}

const NAMES = Array.from({ length: 20 }, (_, index) => `series_${index}`);

test('5xx and 429 are tried again until the node takes the body, once', async () => {
  answer = (_, attempt) => ({ code: [503, 429, 500][attempt - 1] ?? 204 });
  const settings = options();
  assert.deepEqual(await deliver({ body: body(20), headers: {} }, settings), []);
  assert.deepEqual(accepted, NAMES);
  assert.equal(settings.retries.length, 3);
});

test('a 400 is halved down to the series at fault; all others arrive', async () => {
  const bad = new Set(['series_3', 'series_17']);
  answer = (names) => ({ code: names.some((name) => bad.has(name)) ? 400 : 204 });
  const refused = await deliver({ body: body(20), headers: {} }, options());
  assert.deepEqual(accepted.sort(), NAMES.filter((name) => !bad.has(name)).sort());
  assert.deepEqual(
    refused.flatMap(({ body }) => seriesNames(body)),
    ['series_3', 'series_17'],
  );
  assert.ok(refused.every(({ error }) => error.reason === 'http_400' && error.stage === 'deliver'));
});

test('401, 403 and 404 say nothing about the data: they are tried again, not buried', async () => {
  answer = (_, attempt) => ({ code: [401, 403, 404][attempt - 1] ?? 204 });
  assert.deepEqual(await deliver({ body: body(2), headers: {} }, options()), []);
  assert.equal(attempts, 4);
});

test('a body that cannot be taken apart is refused as a whole', async () => {
  const refusing = options({
    send: async () => {
      throw new PoisonError('deliver', 'http_400', 'no');
    },
  });
  const broken = Buffer.from('no snappy');
  for (const whole of [broken, body(1)]) {
    const refused = await deliver({ body: whole, headers: {} }, refusing);
    assert.deepEqual(
      refused.map(({ body }) => body),
      [whole],
    );
  }
});

test('a header that HTTP cannot carry is the record at fault, not the node; nothing is sent', async () => {
  answer = () => ({ code: 204 });
  const whole = body(20);
  const refused = await deliver({ body: whole, headers: { 'X-Scope-OrgID': 'a\r\nHost: b' } }, options());
  assert.deepEqual(
    refused.map(({ body, error }) => [body, error.reason]),
    [[whole, 'bad_header']],
  );
  assert.equal(attempts, 0);
});

test('a stop ends the waiting, and nothing counts as delivered', async () => {
  answer = () => ({ code: 503, headers: { 'retry-after': '3600' } });
  let active = true;
  const settings = options({ active: () => active });
  const delivery = deliver({ body: body(2), headers: {} }, settings);
  while (settings.retries.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(settings.retries[0]?.retryAfterMs, 3_600_000, 'Retry-After is read');
  active = false;
  await assert.rejects(delivery, DeliveryStoppedError);
  assert.deepEqual(accepted, []);
});

test('a node that cannot be reached is trouble, not poison', async () => {
  const nobody = new RemoteWriteClient({
    url: 'http://127.0.0.1:1/api/v1/write',
    timeoutMs: 500,
    userAgent: 'test',
    login: {},
  });
  let active = true;
  const settings = options({
    active: () => active,
    send: (request, signal) => nobody.send(request, signal),
    onRetry: () => {
      active = false;
    },
  });
  await assert.rejects(deliver({ body: body(1), headers: {} }, settings), DeliveryStoppedError);
  await nobody.close();
});

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(retryAfterMs('7', now), 7_000);
  assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', now), 5_000);
  assert.equal(retryAfterMs('Thu, 01 Jan 2020 00:00:00 GMT', now), 0);
  assert.equal(retryAfterMs('soon', now), undefined);
  assert.equal(retryAfterMs(undefined, now), undefined);
});
