import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ANSWER_TIMEOUT, HttpConnections } from '../../../../src/io/remote-write/connections.ts';

const NEVER = new AbortController().signal;
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';

describe('HTTP connections', () => {
  let sockets: Socket[];
  /** What a server does with the bytes that come over its connection of this number. */
  let serve: (socket: Socket, bytes: Buffer, connection: number) => void;
  let server: Server;
  let connections: HttpConnections;

  beforeEach(async () => {
    sockets = [];
    server = createServer((socket) => {
      const connection = sockets.push(socket) - 1;
      socket.on('data', (bytes) => serve(socket, bytes, connection)).on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    connections = at(server);
  });
  afterEach(async () => {
    await connections.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  function at(listening: Server, timeoutMs = 5_000): HttpConnections {
    const address = listening.address();
    assert.ok(address !== null && typeof address === 'object');
    return new HttpConnections({
      url: new URL(`http://127.0.0.1:${address.port}/`),
      timeoutMs,
      tls: () => ({}),
    });
  }

  const post = (text: string, signal = NEVER) =>
    connections.post({ headers: {}, body: Buffer.from(text), signal });

  test('are used again, one request at a time on each', async () => {
    let came = '';
    serve = (socket, bytes) => {
      came += bytes;
      if (came.endsWith('!')) socket.write(NO_CONTENT);
    };
    assert.equal((await post('one!')).status, 204);
    assert.equal((await post('two!')).status, 204);
    // undici takes a connection up again at the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await post('three!')).status, 204);
    assert.ok(sockets.length <= 2);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(['four!', 'five!', 'six!'].map((text) => post(text)));
    assert.equal(sockets.length, 3);
  });

  test('are not used again when the server ends them, before or after it says so', async () => {
    serve = (socket, _, connection) => {
      if (connection === 0) socket.write('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
      else if (connection === 1) socket.end(NO_CONTENT);
      else socket.write(NO_CONTENT);
    };
    await post('one');
    await post('two');
    await new Promise((resolve) => sockets[1]!.once('close', resolve));
    await post('three');
    assert.equal(sockets.length, 3);
  });

  test('the bytes of a request that is answered before it is read count as unsent', async () => {
    serve = (socket) => {
      socket.pause();
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
    };
    const large = connections.post({ headers: {}, body: Buffer.alloc(64 * 1024 * 1024), signal: NEVER });
    assert.equal((await large).status, 413);
    assert.equal(connections.sentAll, false);
    const closed = new Promise((resolve) => sockets[0]!.once('close', resolve));
    sockets[0]!.resume();
    sockets[0]!.destroy();
    await closed;
    while (!connections.sentAll) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  test('a connection that ends before an answer is an error', async () => {
    serve = (socket) => socket.end('HTTP/1.1 2');
    await assert.rejects(post('one'), { code: 'UND_ERR_SOCKET' });
  });

  test('an answer that is not HTTP is an error, and so is none in time', async () => {
    serve = (socket) => socket.write('hello\r\n\r\n');
    await assert.rejects(post('one'), { name: 'HTTPParserError' });
    await connections.close();
    connections = at(server, 50);
    serve = () => undefined;
    await assert.rejects(post('two'), { code: ANSWER_TIMEOUT });
    await new Promise((resolve) => sockets[1]!.once('close', resolve));
  });

  test('a server that nobody reaches is an error that says that nothing was sent', async () => {
    const url = new URL('http://127.0.0.1:1/');
    const nobody = new HttpConnections({ url, timeoutMs: 5_000, tls: () => ({}) });
    const request = { headers: {}, body: Buffer.alloc(1), signal: NEVER };
    await assert.rejects(nobody.post(request), { code: 'ECONNREFUSED' });
    const silent = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    assert.ok(address !== null && typeof address === 'object');
    // A TLS handshake without an answer is no connection either.
    const handshake = new HttpConnections({
      url: new URL(`https://127.0.0.1:${address.port}/`),
      timeoutMs: 50,
      tls: () => ({}),
    });
    await assert.rejects(handshake.post(request), { code: 'UND_ERR_CONNECT_TIMEOUT' });
    await Promise.all([nobody.close(), handshake.close()]);
    silent.close();
  });

  test('a signal ends a request and its connection', async () => {
    const ended = new AbortController();
    serve = () => ended.abort(new Error('enough'));
    await assert.rejects(post('one', ended.signal), /enough/);
    await assert.rejects(post('two', ended.signal), /enough/);
    assert.equal(sockets.length, 1);
  });

  test('of an answer the beginning is kept, and when to come again', async () => {
    serve = (socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 7\r\n');
      socket.write('Transfer-Encoding: chunked\r\n\r\n');
      for (let chunk = 0; chunk < 5; chunk += 1) socket.write(`1000\r\n${'é'.repeat(0x800)}\r\n`);
      socket.write('0\r\n\r\n');
    };
    const { status, retryAfter, text } = await post('one');
    assert.deepEqual([status, retryAfter], [503, '7']);
    assert.equal(text, 'é'.repeat(0x1000));
  });

  const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n';

  for (const status of [200, 400, 503]) {
    test(`a status of ${status} is the answer, also when its body never ends or breaks off`, async () => {
      const head = `HTTP/1.1 ${status} So\r\n${CHUNKED}3\r\nyes\r\n`;
      serve = (socket, bytes) => {
        socket.write(head);
        if (String(bytes).includes('breaks off')) socket.destroySoon();
        if (!String(bytes).includes('drips')) return;
        const drip = setInterval(() => socket.write('1\r\n.\r\n'), 20);
        socket.once('close', () => clearInterval(drip));
      };
      for (const body of ['waits', 'drips', 'breaks off']) {
        const answer = await post(body);
        assert.equal(answer.status, status);
        assert.match(answer.text, /^yes\.*$/);
      }
    });
  }

  test('an answer that does not stop coming is cut off, with its connection', async () => {
    const closed = Promise.withResolvers<void>();
    serve = (socket) => {
      const flood = () => {
        while (socket.writable && socket.write(`10000\r\n${'x'.repeat(0x10000)}\r\n`));
      };
      socket.on('drain', flood).once('close', () => closed.resolve());
      socket.write(`HTTP/1.1 200 OK\r\n${CHUNKED}`);
      flood();
    };
    assert.equal((await post('one')).status, 200);
    await closed.promise;
  });

  test('a signal that comes after the status does not take the answer back', async () => {
    const ended = new AbortController();
    serve = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${CHUNKED}`);
      setTimeout(() => ended.abort(new Error('enough')), 50);
    };
    assert.equal((await post('one', ended.signal)).status, 200);
  });
});
