import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { type Config, parseConfig } from '../../../../src/app/config/load.ts';
import { MASK, redacted } from '../../../../src/app/config/redact.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

const FILE = 'dir/penstock.yml';

/** One node with these keys, beginning on line 4; every file exists. */
function load(keys: string, url = 'https://a'): Config {
  const indented = keys.replace(/^/gm, '    ');
  return parseConfig(`nodes:\n  - name: a\n    url: ${url}\n${indented}\n`, FILE, {}, () => '');
}

function refusal(keys: string, url?: string): string {
  try {
    load(keys, url);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail('the configuration was accepted');
}

describe('the login of a node', () => {
  it('is a user name with a password, or a token; each may stand in a file, relative to the configuration', () => {
    const [node] = load('basic_auth: {username: u, password_file: secrets/p}').nodes;
    assert.deepEqual(node?.basic_auth, { username: 'u', password_file: resolve('dir/secrets/p') });
    assert.equal(load('bearer_token: t').nodes[0]?.bearer_token, 't');
    assert.equal(load('bearer_token_file: t').nodes[0]?.bearer_token_file, resolve('dir/t'));
  });

  const refused: [name: string, keys: string, expected: string][] = [
    [
      'two ways to log in',
      'basic_auth: {username: u, password: p}\nbearer_token: t',
      '5: nodes[0].bearer_token: basic_auth is given too; expected one way to log in',
    ],
    [
      'a token twice',
      'bearer_token: t\nbearer_token_file: f',
      '5: nodes[0].bearer_token_file: bearer_token is given too; expected one way to log in',
    ],
    [
      'a user without a password',
      'basic_auth: {username: u}',
      '4: nodes[0].basic_auth.password: missing; expected a value, or password_file',
    ],
    [
      'a password twice',
      'basic_auth: {username: u, password: p, password_file: f}',
      '4: nodes[0].basic_auth.password: password_file is given too; expected one of the two',
    ],
    [
      'a user name with a colon',
      'basic_auth: {username: "u:v", password: p}',
      '4: nodes[0].basic_auth.username: the user name has a colon or control characters',
    ],
    [
      'a token with a line break',
      'bearer_token: "hush\\n"',
      '4: nodes[0].bearer_token: the given value has blanks or other characters that no token has',
    ],
    [
      'a certificate without its key',
      'tls: {cert_file: c.pem}',
      '4: nodes[0].tls.cert_file: a certificate without its key',
    ],
  ];
  for (const [name, keys, expected] of refused) {
    it(`cannot be ${name}`, () => {
      const message = refusal(keys);
      assert.equal(message.slice(0, FILE.length + 1 + expected.length), `${FILE}:${expected}`);
      assert.doesNotMatch(message, /hush|\n/);
    });
  }
});

describe('the tls of a node', () => {
  it('has the keys of kafka.tls, and no enabled: the URL says so', () => {
    const [node] = load('tls: {ca_file: ca.pem, server_name: vm.test}').nodes;
    assert.deepEqual(node?.tls, {
      ca_file: resolve('dir/ca.pem'),
      server_name: 'vm.test',
      insecure_skip_verify: false,
    });
    assert.match(refusal('tls: {enabled: true}'), /nodes\[0\]\.tls/);
  });

  it('is refused at a URL without it', () => {
    const message = refusal('tls: {ca_file: ca.pem}', 'http://a');
    assert.match(
      message,
      /^dir\/penstock\.yml:4: nodes\[0\]\.tls: the URL is http:\/\/; expected https:\/\//,
    );
  });
});

it('the secrets of nodes are masked in what is printed, and only they', () => {
  const [node] = redacted(load('basic_auth: {username: u, password: hush}')).nodes;
  assert.deepEqual(node?.basic_auth, { username: 'u', password: MASK });
  assert.equal(redacted(load('bearer_token: hush')).nodes[0]?.bearer_token, MASK);
  assert.equal(redacted(load('bearer_token_file: t')).nodes[0]?.bearer_token_file, resolve('dir/t'));
});

describe('numbers of nodes', () => {
  const nodes = (...numbers: (number | undefined)[]) => {
    const list = numbers.map((number, at) => ({ name: `n${'abc'[at]}`, url: 'http://a', number }));
    return parseConfig(`nodes: ${JSON.stringify(list)}`, FILE, {}, () => '').nodes;
  };

  it('are those of all nodes or of none', () => {
    assert.deepEqual(
      nodes(1, 0).map(({ number }) => number),
      [1, 0],
    );
    assert.deepEqual(
      nodes(undefined, undefined).map(({ number }) => number),
      [undefined, undefined],
    );
    assert.throws(
      () => nodes(undefined, 0, 1),
      /nodes\[0\]\.number: missing, while node nb has one; expected one at every node, or at none/,
    );
  });

  it('are given once', () => {
    assert.throws(
      () => nodes(0, 1, 0),
      /nodes\[2\]\.number: 0 is the number of nodes\[0\] too; expected another number/,
    );
    assert.throws(() => nodes(1000), /nodes\[0\]\.number/);
  });
});
