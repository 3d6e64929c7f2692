import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type ConnectionOptions, connect, createServer } from 'node:tls';
import { certificateFault, plainTlsMessage } from '../../../../src/io/credentials/certificate-fault.ts';
import { removeRunFolder } from '../../../lab/cache.ts';
import { type Certificates, type KeyPair, makeCertificates } from '../../../support/security/certificates.ts';

let certificates: Certificates;
before(() => {
  certificates = makeCertificates();
});
after(() => removeRunFolder(certificates.folder));

const pem = ({ cert, key }: KeyPair) => ({ cert: readFileSync(cert), key: readFileSync(key) });
const ca = (file: string) => ({ ca: readFileSync(file) });

/** How a connection between a server with `pair` and a client fails. */
async function failure(pair: KeyPair, client: ConnectionOptions): Promise<NodeJS.ErrnoException | undefined> {
  const server = createServer(pem(pair), (socket) => {
    socket.on('error', () => undefined);
    socket.end('welcome');
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, ...client });
  try {
    return await new Promise((resolve) => {
      socket.on('error', resolve);
      socket.on('data', () => resolve(undefined));
      socket.on('close', () => resolve(undefined));
    });
  } finally {
    socket.destroy();
    server.close();
  }
}

describe('a handshake that fails', () => {
  const cases: Record<string, [() => Promise<NodeJS.ErrnoException | undefined>, RegExp]> = {
    'at an expired certificate': [
      () => failure(certificates.expired, ca(certificates.ca)),
      /^the other side's certificate has expired; expected a renewed one/,
    ],
    'at an unknown authority': [
      () => failure(certificates.server, ca(certificates.strangerCa)),
      /of an unknown authority; expected that authority's in tls\.ca_file$/,
    ],
    'at a certificate that has signed itself': [
      () => failure({ cert: certificates.ca, key: certificates.ca.replace('.pem', '.key') }, {}),
      /of an unknown authority; expected that authority's in tls\.ca_file$/,
    ],
    'at another name': [
      () => failure(certificates.server, { ...ca(certificates.ca), servername: 'other.test' }),
      /for another name; expected that name in tls\.server_name/,
    ],
  };
  for (const [what, [fail, says]] of Object.entries(cases)) {
    test(what, async () => {
      const error = await fail();
      assert.match(certificateFault(error) ?? `none: ${error}`, says);
      assert.doesNotMatch(plainTlsMessage(error!.message), /\n|\.c:\d+|error:[0-9A-F]{8}/);
    });
  }

  test('does not, with the right certificates', async () => {
    assert.equal(await failure(certificates.server, ca(certificates.ca)), undefined);
  });
});

test('an alert about our certificate is a fault of it, another alert is none', () => {
  const alert = (name: string) => certificateFault({ code: `ERR_SSL_${name}` });
  for (const name of [
    'TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'SSLV3_ALERT_CERTIFICATE_UNKNOWN',
    'SSL/TLS_ALERT_CERTIFICATE_EXPIRED',
    'SSL/TLS_ALERT_BAD_CERTIFICATE',
    'TLSV1_ALERT_UNKNOWN_CA',
  ]) {
    assert.match(alert(name) ?? name, /^the other side refuses our certificate, or wants one/);
  }
  assert.equal(alert('TLSV1_ALERT_INTERNAL_ERROR'), undefined);
});

test('a fault is found in the causes of an error', () => {
  const cause = Object.assign(new Error('expired'), { code: 'CERT_HAS_EXPIRED' });
  const error = new Error('outer', { cause: new Error('inner', { cause }) });
  assert.match(certificateFault(error)!, /has expired/);
});

test('other trouble is no fault of a certificate', () => {
  const coded = (code: unknown) => Object.assign(new Error(), { code });
  for (const error of [
    coded('ECONNREFUSED'),
    coded(3),
    coded('toString'),
    new Error('CERT_HAS_EXPIRED'),
    undefined,
  ]) {
    assert.equal(certificateFault(error), undefined);
  }
  const loop = coded('ECONNRESET');
  assert.equal(certificateFault(Object.assign(loop, { cause: loop })), undefined);
});

test("OpenSSL's text of an alert becomes the name of the alert", () => {
  const text =
    '00A0F1:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:ssl/record.c:918:SSL alert number 42\n';
  assert.equal(plainTlsMessage(text), 'TLS alert bad certificate');
  assert.equal(plainTlsMessage(`Connection error: ${text}`), 'Connection error: TLS alert bad certificate');
  assert.equal(plainTlsMessage('certificate has expired'), 'certificate has expired');
});
