import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { RetryableError } from '../../../../src/core/model/errors.ts';
import { NodeLogin } from '../../../../src/io/remote-write/login.ts';
import { createRunFolder, removeRunFolder } from '../../../lab/cache.ts';

const folder = createRunFolder('node-login');
const file = path.join(folder, 'secret');
after(() => removeRunFolder(folder));

/** User name and password of a header (RFC 7617 section 2). */
function decoded({ authorization = '' }: Record<string, string>): string {
  const [scheme, text = ''] = authorization.split(' ');
  assert.equal(scheme, 'Basic');
  return Buffer.from(text, 'base64').toString();
}

test('a node without a login gets no header', () => {
  assert.deepEqual(new NodeLogin({}).headers(), {});
});

test('a user name and a password, given or in a file', () => {
  const given = new NodeLogin({ basic_auth: { username: 'penstock', password: 'päss:word' } });
  assert.equal(decoded(given.headers()), 'penstock:päss:word');
  writeFileSync(file, 'from-file\n');
  const inFile = new NodeLogin({ basic_auth: { username: 'penstock', password_file: file } });
  assert.equal(decoded(inFile.headers()), 'penstock:from-file');
});

test('a bearer token, given or in a file', () => {
  assert.deepEqual(new NodeLogin({ bearer_token: 't0' }).headers(), { authorization: 'Bearer t0' });
  writeFileSync(file, 't1\n');
  assert.deepEqual(new NodeLogin({ bearer_token_file: file }).headers(), { authorization: 'Bearer t1' });
});

test('after a refusal the file is read again', () => {
  writeFileSync(file, 't1');
  const login = new NodeLogin({ bearer_token_file: file });
  login.headers();
  writeFileSync(file, 't2');
  login.refused();
  assert.deepEqual(login.headers(), { authorization: 'Bearer t2' });
});

test('a file that was never there is trouble that time can mend', () => {
  const login = new NodeLogin({ bearer_token_file: path.join(folder, 'none') });
  assert.throws(() => login.headers(), RetryableError);
});

test('what a node repeats of a login is masked: the secret, and the header that it went into', () => {
  const login = new NodeLogin({ basic_auth: { username: 'penstock', password: 'hush' } });
  const { authorization } = login.headers();
  assert.equal(
    login.masked(`you sent "${authorization}", which is penstock:hush, hush!`),
    'you sent "Basic ********", which is penstock:********, ********!',
  );
  const bearer = new NodeLogin({ bearer_token: 't0' });
  bearer.headers();
  assert.equal(bearer.masked('Bearer t0'), 'Bearer ********');
  assert.equal(new NodeLogin({}).masked('as it is'), 'as it is');
});
