import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { probeListener } from '../../../../../src/io/kafka/client/listener-probe.ts';
import { describeMismatch, mismatchBehind } from '../../../../../src/io/kafka/client/mismatch.ts';
import { kafkaOptions } from '../../../../../src/io/kafka/client/options.ts';
import { freePort } from '../../../../lab/ports.ts';

const plain = kafkaOptions.parse({});
const secure = kafkaOptions.parse({ tls: { enabled: true } });
const scram = kafkaOptions.parse({ sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'hush' } });

test('what a listener wants is held against what is configured', () => {
  const none = { tls: false, mechanisms: undefined };
  const login = { tls: false, mechanisms: ['PLAIN', 'SCRAM-SHA-512'] };
  const withTls = { tls: true, mechanisms: 'unknown' } as const;
  const fits = [
    [none, plain],
    [login, scram],
    [withTls, secure],
    [{ ...none, tls: true }, secure],
    [{ tls: false, mechanisms: 'unknown' }, scram],
  ] as const;
  for (const [listener, options] of fits) assert.equal(describeMismatch('a:1', listener, options), undefined);

  const said = (
    ...[listener, options]: Parameters<typeof describeMismatch> extends [string, ...infer R] ? R : never
  ) => describeMismatch('a:1', listener, options)!;
  assert.match(said(none, secure), /^Kafka \(a:1\) speaks no TLS there/);
  assert.match(said(withTls, plain), /speaks TLS there, and kafka\.tls\.enabled is false/);
  assert.match(said(none, scram), /takes no login there, and kafka\.sasl\.mechanism is scram-sha-512/);
  assert.match(
    said(login, plain),
    /wants a login there by plain, scram-sha-512, and kafka\.sasl\.mechanism is none/,
  );
  assert.match(
    said({ ...login, mechanisms: ['GSSAPI'] }, scram),
    /by gssapi, and kafka\.sasl\.mechanism is scram-sha-512/,
  );
  for (const text of [said(none, scram), said(login, plain)]) assert.doesNotMatch(text, /hush/);
});

test('a broker that is away, hangs or talks something else says nothing', async () => {
  assert.equal(await probeListener({ host: '127.0.0.1', port: await freePort() }, 1_000), undefined);
  for (const says of [undefined, 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      if (says !== undefined) socket.end(says);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    assert.equal(await probeListener({ host: '127.0.0.1', port }, 300), undefined);
    server.close();
  }
});

test('nobody is asked where the error says itself what is wrong', async () => {
  const wrongPassword = Object.assign(new Error('SASL authentication failed: invalid credentials'), {
    name: 'KafkaJSSASLAuthenticationError',
  });
  assert.equal(await mismatchBehind(wrongPassword, scram), undefined);
});
