import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../../../src/app/config/load.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

/** How the secret of these configurations is spelt; `unter2` is what is left of it behind an escape sequence. */
const SECRET = /unter2|\\u?hunt/;

function refusal(text: string, env: Record<string, string> = {}): string {
  try {
    parseConfig(text, 'f.yml', env, () => '');
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail('the configuration was accepted');
}

function node(key: string, url = 'http://a'): string {
  return `nodes:\n  - name: a\n    url: ${url}\n    ${key}\n`;
}

function sasl(password: string): string {
  return `kafka:\n  sasl:\n    mechanism: plain\n    username: u\n    password: ${password}\n`;
}

describe('a refusal does not show a secret that stands in the wrong place', () => {
  const rows: [text: string, expected: RegExp][] = [
    [node('', 'admin:hunter2@vmagent:8429'), /^f\.yml:3: nodes\[0\]\.url: the given value is no HTTP URL/],
    [node('', 'http//admin:hunter2@vmagent:8429'), /^f\.yml:3: nodes\[0\]\.url: the given value is no HTTP/],
    [node('', 'http://admin:hunter2/x@vmagent'), /^f\.yml:3: nodes\[0\]\.url: the given value is no HTTP/],
    [node('', 'http://admin:hunter2@vmagent'), /^f\.yml:3: nodes\[0\]\.url: the URL carries a user name/],
    [
      node('basic_auth: admin:hunter2'),
      /^f\.yml:4: nodes\[0\]\.basic_auth: the given value does not fit; exp/,
    ],
    [
      node('basic_auth: [admin, hunter2]'),
      /^f\.yml:4: nodes\[0\]\.basic_auth: a list does not fit; expected/,
    ],
    [
      node('basic_auth: {username: a, password:hunter2}'),
      /4: nodes\[0\]\.basic_auth: a key here has characters/,
    ],
    [node('bearer_token: {hunter2: 1}'), /^f\.yml:4: nodes\[0\]\.bearer_token: a mapping does not fit/],
    ['nodes:\n  - {name: a, url:http://admin:hunter2@b}', /f\.yml:2: nodes\[0\]: a key here has characters/],
    ['nodes: [hunter2]', /^f\.yml:1: nodes\[0\]: the given value does not fit; expected a mapping$/],
    ['nodes: hunter2', /^f\.yml:1: nodes: the given value does not fit; expected a list$/],
    ['kafka: hunter2', /^f\.yml:1: kafka: the given value does not fit; expected a mapping with the keys/],
    ['hunter2', /^f\.yml:1: the given value does not fit; expected a mapping with the keys kafka/],
    [
      'kafka:\n  sasl: admin:hunter2',
      /^f\.yml:2: kafka\.sasl: the given value does not fit; expected a mapping/,
    ],
    ['kafka:\n  sasl: {admin:hunter2}', /^f\.yml:2: kafka\.sasl: a key here has characters that no key has/],
    ['registry: admin:hunter2', /^f\.yml:1: registry: the given value does not fit; expected a mapping with/],
    ['registry: {url: "http//admin:hunter2@r"}', /^f\.yml:1: registry\.url: the given value is no HTTP URL/],
    ['registry: {url: "HTTP://admin:hunter2@r"}', /^f\.yml:1: registry\.url: the URL carries a user name or/],
    [
      'kafka:\n  sasl: {mechanism: oauthbearer, token_url: "HTTP://admin:hunter2@r"}',
      /f\.yml:2: kafka\.sasl\.token_url: the URL carries a user name or password/,
    ],
    [
      'kafka: {brokers: ["user:hunter2@b:9092"]}',
      /^f\.yml:1: kafka\.brokers\[0\]: the given value is no addr/,
    ],
    [
      'kafka: {brokers: "user:hunter2@b:9092"}',
      /^f\.yml:1: kafka\.brokers\[0\]: the given value is no address/,
    ],
    [
      sasl('*hunter2'),
      /^f\.yml:5: this is no valid YAML: there is no anchor for what begins with \*; expected q/,
    ],
    [
      sasl('!hunter2'),
      /^f\.yml:5: this is no valid YAML: what begins with ! is no tag that is known; expected/,
    ],
    [sasl('!h!hunter2 x'), /^f\.yml:5: this is no valid YAML: what begins with ! is no tag/],
    [sasl('|hunter2'), /^f\.yml:5: this is no valid YAML: Block scalar header includes extra characters$/],
    [sasl(']hunter2'), /f\.yml:5: this is no valid YAML: Unexpected scalar token in YAML stream$/],
    [
      sasl('"\\hunter2"'),
      /^f\.yml:5: this is no valid YAML: there is no such escape sequence; expected a doub/,
    ],
    [sasl('"\\uhunter2"'), /^f\.yml:5: this is no valid YAML: there is no such escape sequence/],
    [sasl('\n%hunter2 x\n---\n'), /this is no valid YAML/],
    [
      `%hunter2 x\n---\n${sasl('x')}`,
      /^f\.yml:1: this is no valid YAML: a line that begins with % is no dir/,
    ],
  ];
  for (const [text, expected] of rows) {
    it(JSON.stringify(text), () => {
      const message = refusal(text);
      assert.match(message, expected);
      assert.doesNotMatch(message, SECRET);
    });
  }

  it('in the environment', () => {
    const message = refusal('', { PENSTOCK_KAFKA_BROKERS: 'user:hunter2@b:9092' });
    assert.match(message, /^PENSTOCK_KAFKA_BROKERS: kafka\.brokers\[0\]: the given value is no address/);
    assert.doesNotMatch(message, SECRET);
  });
});
