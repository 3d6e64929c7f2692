import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { PoisonError, RetryableError } from '../../../../src/core/model/errors.ts';
import { RegistryClient } from '../../../../src/io/registry/client.ts';

const MIB = 1024 * 1024;

/** Asks a registry that answers with `status` and 33 MiB. */
async function askForTooMuch(status: number): Promise<unknown> {
  const server = createServer((_, response) => {
    response.writeHead(status);
    for (let sent = 0; sent < 33; sent++) response.write(Buffer.alloc(MIB, 0x20));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const tls = {};
  const client = new RegistryClient({ url: `http://127.0.0.1:${port}`, timeout: 30_000, tls } as never);
  try {
    return await client.fetch(1).catch((error: unknown) => error);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

test('a schema that is too large is of no use, since it will be no smaller when it is asked for again', async () => {
  const error = await askForTooMuch(200);
  assert.ok(error instanceof PoisonError, String(error));
  assert.equal(error.reason, 'schema');
  assert.match(error.message, /answers with more than 33554432 bytes/);
  assert.ok((await askForTooMuch(500)) instanceof RetryableError);
});
