import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { AdminServer, type AdminServerOptions } from '../../../../src/io/telemetry/admin-server.ts';
import { obeyed } from '../../../support/obeyed.ts';

const BY_HAND = { 'x-penstock-reload': '1' };
const running: AdminServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

/** Not `once`: that fails with the error that comes before the end. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.on('close', () => resolve()));
}

/** A server on loopback, and how often it was told to reload. */
async function start(options: Partial<AdminServerOptions> = {}) {
  const reloads = { count: 0 };
  const server = new AdminServer({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: async () => 'up 1\n',
    health: () => ({ ready: true }),
    readiness: () => ({ ready: true }),
    status: async () => ({ label: '\u001b[2J\u009b31m\u202e' }),
    reload: async () => {
      reloads.count++;
      return { applied: true, text: 'Reloaded.' };
    },
    ...options,
  });
  running.push(server);
  const port = Number((await server.start()).split(':').at(-1));

  /** Not fetch: it sets Host and Origin by itself. */
  async function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body = '') {
    const asked = request({ host: '127.0.0.1', port, path, method, headers });
    asked.on('error', () => undefined);
    asked.end(body);
    const [response] = await once(asked, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode as number, headers: response.headers, text };
  }
  const reload = async (headers: Record<string, string>) => (await ask('/-/reload', headers, 'POST')).status;
  return { port, ask, reload, reloads };
}

describe('who may reload', () => {
  it('without a token: from this machine, and with a header that no web page can set', async () => {
    const { reload, reloads } = await start();
    assert.equal(await reload({}), 403);
    assert.equal(await reload({ 'content-type': 'text/plain' }), 403);
    assert.equal(await reload({ ...BY_HAND, origin: 'http://evil.example' }), 403);
    assert.equal(await reload({ ...BY_HAND, host: 'evil.example' }), 403);
    assert.equal(reloads.count, 0);
    assert.equal(await reload(BY_HAND), 200);
    assert.equal(reloads.count, 1);
  });

  it('no page is allowed to set it: a preflight is not answered', async () => {
    const { ask } = await start();
    const asks = { origin: 'http://evil.example', 'access-control-request-headers': 'x-penstock-reload' };
    const { status, headers } = await ask('/-/reload', asks, 'OPTIONS');
    assert.equal(status, 405);
    assert.ok(!Object.keys(headers).some((name) => name.startsWith('access-control')));
  });

  it('on every interface, too, a name that points at loopback is none of this machine', async () => {
    const { reload } = await start({ listen: { host: '', port: 0 } });
    assert.equal(await reload({ ...BY_HAND, host: 'rebound.example:9480' }), 403);
    assert.equal(await reload({ ...BY_HAND, host: 'localhost:9480' }), 200);
  });

  it('with a token: whoever has it, and nobody else', async () => {
    const { reload, reloads } = await start({ reloadToken: () => 'right' });
    for (const wrong of [{}, BY_HAND, { authorization: 'Bearer wrong' }, { authorization: 'right' }]) {
      assert.equal(await reload(wrong as Record<string, string>), 401);
    }
    assert.equal(reloads.count, 0);
    assert.equal(await reload({ authorization: 'Bearer right' }), 200);
  });

  it('not as often as one likes, and refusals do not count', async () => {
    const { ask, reload, reloads } = await start();
    for (let time = 0; time < 50; time++) assert.equal(await reload({}), 403);
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask('/-/reload', BY_HAND, 'POST')));
    const limited = answers.filter(({ status }) => status === 429);
    assert.ok(reloads.count >= 1 && reloads.count <= 10, `${reloads.count} reloads`);
    assert.equal(limited.length, 30 - reloads.count);
    assert.ok(limited.every(({ headers }) => Number(headers['retry-after']) >= 1));
  });
});

describe('the admin server', () => {
  it('on loopback answers to names of loopback alone', async () => {
    const { port, ask } = await start();
    for (const host of [
      'localhost',
      `localhost:${port}`,
      `127.0.0.1:${port}`,
      '127.1.2.3',
      `[::1]:${port}`,
    ]) {
      assert.equal((await ask('/metrics', { host })).status, 200, host);
    }
    for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '10.0.0.1']) {
      for (const path of ['/metrics', '/api/status', '/-/ready']) {
        assert.equal((await ask(path, { host })).status, 403, `${host} ${path}`);
      }
    }
  });

  it('on every interface answers to any name', async () => {
    const { ask } = await start({ listen: { host: '', port: 0 } });
    assert.equal((await ask('/metrics', { host: 'penstock-0.monitoring:9480' })).status, 200);
  });

  it('takes no large headers and no large bodies, announced or not', async () => {
    const { port, ask } = await start();
    assert.equal((await ask('/metrics', { 'x-large': 'x'.repeat(20_000) })).status, 431);
    assert.equal(
      (await ask('/-/reload', { ...BY_HAND, 'content-length': '1000000000' }, 'POST')).status,
      413,
    );
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /-/ready HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const timer = setInterval(() => socket.write(chunk), 5);
    await closed(socket);
    clearInterval(timer);
    assert.ok(socket.bytesWritten < 50_000_000, `${socket.bytesWritten} bytes were taken`);
  });

  it('ends connections that say nothing or never finish', async () => {
    const { port } = await start();
    const began = performance.now();
    const sockets = ['', 'GET /metrics HTTP/1.1\r\nhost: localhost\r\nx: '].map((text) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined).resume();
      if (text !== '') socket.write(text);
      return socket;
    });
    await Promise.all(sockets.map(closed));
    assert.ok(performance.now() - began < 20_000);
  });

  it('a path that cannot be read is no failure of the server', async () => {
    const { ask } = await start();
    assert.equal((await ask('//')).status, 400);
    assert.equal((await ask('/metrics')).status, 200);
  });

  it('status is JSON without what a terminal obeys', async () => {
    const { ask } = await start();
    const { text } = await ask('/api/status');
    assert.deepEqual(obeyed(text.replaceAll('\n', '')), []);
    assert.deepEqual(JSON.parse(text), { label: '\u001b[2J\u009b31m\u202e' });
  });
});
