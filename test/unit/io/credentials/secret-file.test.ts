import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { RetryableError } from '../../../../src/core/model/errors.ts';
import { SecretFile } from '../../../../src/io/credentials/secret-file.ts';
import { createRunFolder, removeRunFolder } from '../../../lab/cache.ts';

const folder = createRunFolder('secret-file');
const file = path.join(folder, 'secret');
after(() => removeRunFolder(folder));

/** A secret file at a clock that the test moves. */
function secretFile(text: string) {
  writeFileSync(file, text);
  const clock = { ms: 1_000_000 };
  return { clock, secret: new SecretFile(file, () => clock.ms) };
}

test('the line break at the end is none of the secret, blanks are', () => {
  for (const [text, secret] of [
    ['hush\n', 'hush'],
    ['hush\r\n', 'hush'],
    ['hush', 'hush'],
    [' hush \n', ' hush '],
    ['two\nlines\n', 'two\nlines'],
  ] as const) {
    assert.equal(secretFile(text).secret.read(), secret);
  }
});

test('the file is read again after two seconds, and at once after a refusal', () => {
  const { clock, secret } = secretFile('first');
  assert.equal(secret.read(), 'first');
  writeFileSync(file, 'second');
  clock.ms += 1_999;
  assert.equal(secret.read(), 'first');
  clock.ms += 1;
  assert.equal(secret.read(), 'second');
  writeFileSync(file, 'third');
  assert.equal(secret.read(), 'second');
  secret.forget();
  assert.equal(secret.read(), 'third');
});

test('while the file is away or empty, the secret of before serves', () => {
  const { clock, secret } = secretFile('first');
  assert.equal(secret.read(), 'first');
  writeFileSync(file, '\n');
  clock.ms += 2_000;
  assert.equal(secret.read(), 'first');
  rmSync(file);
  clock.ms += 2_000;
  assert.equal(secret.read(), 'first');
  writeFileSync(file, 'second');
  clock.ms += 2_000;
  assert.equal(secret.read(), 'second');
});

test('without any secret so far it is an error that time can mend, and names the file', () => {
  const { secret } = secretFile('');
  const refused = (reason: RegExp) => (error: Error) => {
    assert.ok(error instanceof RetryableError);
    assert.ok(error.message.startsWith(`No secret in ${file}: `), error.message);
    assert.match(error.message, reason);
    return true;
  };
  assert.throws(() => secret.read(), refused(/the file is empty/));
  rmSync(file);
  assert.throws(() => secret.read(), refused(/ENOENT/));
  writeFileSync(file, 'late');
  assert.equal(secret.read(), 'late');
});
