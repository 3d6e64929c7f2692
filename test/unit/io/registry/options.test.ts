import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../../src/app/config/load.ts';

const problems = (text: string): string => {
  try {
    parseConfig(text, 'penstock.yml', {}, () => '');
    return '';
  } catch (error) {
    return String(error);
  }
};

test('without an address there is no registry, and that is no mistake', () => {
  const { registry } = parseConfig('', 'penstock.yml', {}, () => '');
  assert.equal(registry.url, undefined);
  assert.equal(registry.timeout, 10_000);
});

test('the environment gives address and password', () => {
  const env = {
    PENSTOCK_REGISTRY_URL: 'https://registry:8081',
    PENSTOCK_REGISTRY_USERNAME: 'penstock',
    PENSTOCK_REGISTRY_PASSWORD: 'hidden',
  };
  const { registry } = parseConfig('', 'penstock.yml', env, () => '');
  assert.deepEqual([registry.url, registry.username, registry.password], Object.values(env));
});

const WRONG: [string, string, RegExp][] = [
  ['no URL', 'registry: { url: registry }', /registry\.url: .*expected http/],
  ['a password in the URL', 'registry: { url: "http://a:b@c" }', /registry\.url: .*URLs are logged/],
  ['half a login', 'registry: { url: "http://a", password: b }', /registry\.password: .*expected username/],
  ['half a pair', 'registry: { url: "http://a", username: b }', /registry\.username: .*expected password/],
  ['a key without certificate', 'registry: { tls: { key_file: a } }', /registry\.tls\.key_file/],
  [
    'confluent records without a registry',
    'worker: { encoding: confluent }',
    /registry\.url: missing; expected the registry's address, since the records of metrics\.raw are confluent/,
  ],
];
for (const [what, text, message] of WRONG) {
  test(`${what} is refused`, () => assert.match(problems(text), message));
}
