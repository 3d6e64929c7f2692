import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { PoisonError, RetryableError } from '../../../../src/core/model/errors.ts';
import { RegistryClient } from '../../../../src/io/registry/client.ts';

const MIB = 1024 * 1024;

/** The error with which a client of a registry with this behaviour ends. */
async function ask(answer: RequestListener, more: object = {}): Promise<unknown> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const options = { url: `http://127.0.0.1:${port}`, timeout: 30_000, tls: {}, ...more };
  const client = new RegistryClient(options as never);
  try {
    return await client.fetch(1).catch((error: unknown) => error);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Asks a registry that answers with `status` and 33 MiB. */
function askForTooMuch(status: number): Promise<unknown> {
  return ask((_, response) => {
    response.writeHead(status);
    for (let sent = 0; sent < 33; sent++) response.write(Buffer.alloc(MIB, 0x20));
    response.end();
  });
}

test('a schema that is too large is of no use, since it will be no smaller when it is asked for again', async () => {
  const error = await askForTooMuch(200);
  assert.ok(error instanceof PoisonError, String(error));
  assert.equal(error.reason, 'schema');
  assert.match(error.message, /answers with more than 33554432 bytes/);
  assert.ok((await askForTooMuch(500)) instanceof RetryableError);
});

for (const status of [200, 403, 500]) {
  test(`a login that a proxy repeats in an answer ${status} is in no error`, async () => {
    const echo: RequestListener = (request, response) => {
      response.writeHead(status).end(JSON.stringify({ got: request.headers.authorization }));
    };
    const error = await ask(echo, { username: 'reader', password: 'hunter-two' });
    assert.ok(error instanceof RetryableError, String(error));
    assert.match(error.message, /Basic \*+/);
    const basic = Buffer.from('reader:hunter-two').toString('base64');
    for (const secret of ['hunter-two', basic]) assert.ok(!error.message.includes(secret), error.message);
  });
}
