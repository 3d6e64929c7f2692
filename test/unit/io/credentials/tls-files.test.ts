import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ConfigError } from '../../../../src/core/model/errors.ts';
import { TlsFiles } from '../../../../src/io/credentials/tls-files.ts';
import { createRunFolder, removeRunFolder } from '../../../lab/cache.ts';
import { type Certificates, type KeyPair, makeCertificates } from '../../../support/security/certificates.ts';

let certificates: Certificates;
const folder = createRunFolder('tls-files');
const own = { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };

before(() => {
  certificates = makeCertificates();
});
after(() => {
  removeRunFolder(folder);
  removeRunFolder(certificates.folder);
});

function install({ cert, key }: KeyPair): void {
  copyFileSync(cert, own.cert);
  copyFileSync(key, own.key);
}

const text = (file: string) => readFileSync(file, 'utf8');
const pair = { cert_file: own.cert, key_file: own.key, insecure_skip_verify: false };

function refused(settings: object, message: RegExp): void {
  assert.throws(
    () => new TlsFiles({ insecure_skip_verify: false, ...settings }, 'kafka.tls'),
    (error: Error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('settings become options of tls.connect', () => {
  install(certificates.client);
  const files = new TlsFiles({ ...pair, ca_file: certificates.ca, server_name: 'kafka.test' }, 'kafka.tls');
  assert.deepEqual(files.current(), {
    ca: text(certificates.ca),
    cert: text(own.cert),
    key: text(own.key),
    servername: 'kafka.test',
    rejectUnauthorized: true,
  });
});

test('without files the authorities are those of the system, and only insecure_skip_verify trusts everybody', () => {
  assert.deepEqual(new TlsFiles({ insecure_skip_verify: false }, 'kafka.tls').current(), {
    rejectUnauthorized: true,
  });
  assert.deepEqual(new TlsFiles({ insecure_skip_verify: true }, 'kafka.tls').current(), {
    rejectUnauthorized: false,
  });
});

test('a renewed pair is taken at the next connection, a half replaced one not before it is whole', () => {
  install(certificates.client);
  const files = new TlsFiles(pair, 'kafka.tls');
  const [cert, key] = [text(own.cert), text(own.key)];
  copyFileSync(certificates.server.cert, own.cert);
  assert.deepEqual([files.current().cert, files.current().key], [cert, key]);
  rmSync(own.key);
  assert.deepEqual([files.current().cert, files.current().key], [cert, key]);
  copyFileSync(certificates.server.key, own.key);
  const { server } = certificates;
  assert.deepEqual([files.current().cert, files.current().key], [text(server.cert), text(server.key)]);
});

test('what cannot be used is refused, with the key and the file', () => {
  const missing = path.join(folder, 'none.pem');
  refused({ ca_file: missing }, /^kafka\.tls\.ca_file: .*none\.pem cannot be read: ENOENT/);
  const prose = path.join(folder, 'prose.pem');
  writeFileSync(prose, 'no certificate');
  refused({ ca_file: prose }, /^kafka\.tls\.ca_file: the file holds no PEM; expected -----BEGIN/);
  const other = { cert_file: certificates.client.cert, key_file: certificates.server.key };
  refused(other, /^kafka\.tls: .*; expected PEM files, and a certificate with the key that belongs to it/);
});
