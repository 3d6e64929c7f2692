import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../../../src/app/config/load.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

const load = (config: object, env = {}) => parseConfig(JSON.stringify(config), 'f.yml', env, () => 'secret');
const plain = { mechanism: 'plain', username: 'u', password: 'hush' };
const oauth = { mechanism: 'oauthbearer', oauth_client_id: 'a', oauth_client_secret: 'hush' };
const tls = { enabled: true };

/** What is refused; the same with allow_insecure, and the same with encryption, is not. */
const cases: [string, (allow: object) => object, object, RegExp][] = [
  [
    'SASL PLAIN without TLS',
    (allow) => ({ kafka: { sasl: { ...plain, ...allow } } }),
    { kafka: { tls, sasl: plain } },
    /kafka\.sasl\.mechanism: mechanism plain sends the password as it is/,
  ],
  [
    'OAUTHBEARER without TLS',
    (allow) => ({ kafka: { sasl: { ...oauth, token_url: 'https://t', ...allow } } }),
    { kafka: { tls, sasl: { ...oauth, token_url: 'https://t' } } },
    /kafka\.sasl\.mechanism: mechanism oauthbearer sends the token as it is/,
  ],
  [
    'a token endpoint',
    (allow) => ({ kafka: { tls, sasl: { ...oauth, token_url: 'HTTP://t', ...allow } } }),
    { kafka: { tls, sasl: { ...oauth, token_url: 'https://t' } } },
    /kafka\.sasl\.token_url: the URL is http:\/\/, and the client secret/,
  ],
  [
    'a registry',
    (allow) => ({ registry: { url: 'http://r', username: 'u', password: 'hush', ...allow } }),
    { registry: { url: 'https://r', username: 'u', password: 'hush' } },
    /registry\.url: the URL is http:\/\/, and the password/,
  ],
  ...(
    [
      [{ basic_auth: { username: 'u', password: 'hush' } }, 'the password'],
      [{ basic_auth: { username: 'u', password_file: 'p' } }, 'the password'],
      [{ bearer_token: 'hush' }, 'the token'],
      [{ bearer_token_file: 't' }, 'the token'],
    ] as const
  ).map(([login, what]): [string, (allow: object) => object, object, RegExp] => [
    `a node with ${Object.keys(login)}`,
    (allow) => ({ nodes: [{ name: 'a', url: 'http://127.0.0.1:8429', ...login, ...allow }] }),
    { nodes: [{ name: 'a', url: 'https://a', ...login }] },
    new RegExp(`nodes\\[0\\]\\.url: the URL is http://, and ${what}`),
  ]),
];

describe('secrets that would travel unencrypted', () => {
  for (const [name, of, encrypted, says] of cases) {
    it(`${name}: refused, unless the file says allow_insecure`, () => {
      assert.throws(
        () => load(of({})),
        (error) =>
          error instanceof ConfigError &&
          says.test(error.message) &&
          /allow_insecure: true/.test(error.message) &&
          !/hush/.test(error.message),
      );
      load(of({ allow_insecure: true }));
      load(encrypted);
    });
  }

  it('a secret from the environment is one too', () => {
    assert.throws(
      () => load({ registry: { url: 'http://r', username: 'u' } }, { PENSTOCK_REGISTRY_PASSWORD: 'hush' }),
      /registry\.url: the URL is http/,
    );
  });

  it('what is no secret, or is not shown, may go without', () => {
    load({ nodes: [{ name: 'a', url: 'http://a' }], registry: { url: 'http://r' } });
    load({ kafka: { sasl: { ...plain, mechanism: 'scram-sha-512' } } });
  });
});
