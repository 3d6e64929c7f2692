/** Every address, URL and name in a configuration is refused where it cannot be one. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what nobody expands.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../../../src/app/config/load.ts';
import { errorMessage } from '../../../../src/core/model/errors.ts';
import { isHost, urlFault } from '../../../../src/core/options/address.ts';

function refusal(text: string, env: Record<string, string> = {}): string {
  try {
    parseConfig(text, 'f.yml', env, () => '');
    return '';
  } catch (error) {
    return errorMessage(error);
  }
}

const NODE = (url: string, more = '') => `nodes:\n  - name: a\n    url: '${url}'\n${more}`;

describe('hosts', () => {
  for (const host of [
    'kafka',
    'kafka_1',
    'a.b-c.d.',
    '10.0.0.1',
    '[::1]',
    '[fe80::1:2]',
    'bücher.example',
    'x1.2a',
  ])
    it(`${host} is one`, () => assert.ok(isHost(host)));
  for (const host of [
    ...[
      '',
      '.',
      'a..b',
      '-a',
      'a-',
      '${KAFKA}',
      '$(KAFKA)',
      '{{kafka}}',
      '$KAFKA',
      '%KAFKA%',
      '<host>',
      'a b',
    ],
    ...[
      'a,b',
      'a;b',
      'a\u0000b',
      'a\nb',
      '1.2.3',
      '256.1.1.1',
      '01.2.3.4',
      '1234',
      '[::1',
      '[g::]',
      '[1::2::3]',
    ],
    ...['a'.repeat(64), `${'a.'.repeat(127)}a`, 'a/b', 'a@b', '*'],
  ])
    it(`${JSON.stringify(host)} is none`, () => assert.ok(!isHost(host)));
});

describe('URLs', () => {
  for (const url of [
    'http://a',
    'https://a.b:8429/x?y=z',
    'HTTP://[::1]:80/',
    'http://10.0.0.1/api/v1/write',
  ])
    it(`${url} is one`, () => assert.equal(urlFault(url), undefined));
  for (const [url, what] of [
    ['http://${HOST}:8429', /"\$\{HOST\}" is not a host name/],
    ['http://{{ host }}/', /is not a host name/],
    ['http://a b/', /is no HTTP URL/],
    ['http://a\tb/', /is no HTTP URL/],
    ['http://a/\n', /is no HTTP URL/],
    ['http:a', /is no HTTP URL/],
    ['http:///a', /is no HTTP URL/],
    ['http://', /is no HTTP URL/],
    ['http://999.1.1.1/', /is no HTTP URL: "999\.1\.1\.1" is not a host name/],
    ['http://a:0/', /ports are from 1/],
    ['http://a:70000/', /is no HTTP URL/],
    ['ftp://a', /is no HTTP URL/],
    ['a:8429', /is no HTTP URL/],
    ['http://u:p@a/', /carries a user name/],
    ['http:u:p@a/', /carries a user name/],
  ] as const)
    it(`${JSON.stringify(url)} is none`, () => assert.match(urlFault(url) ?? '', what));
});

describe('a configuration', () => {
  const hint = /environment variables are not expanded here, expected the value itself/;
  for (const [text, line, key] of [
    ["kafka:\n  brokers: ['a:1', '${KAFKA}:9092']", 2, 'kafka.brokers[1]'],
    ["kafka:\n  client_id: '${POD}'", 2, 'kafka.client_id'],
    [
      "kafka: { sasl: { mechanism: scram-sha-512,\n username: '$(USER)', password: x } }",
      2,
      'kafka.sasl.username',
    ],
    [
      "kafka: { sasl: { mechanism: scram-sha-512, username: u,\n password: '${PASSWORD}' } }",
      2,
      'kafka.sasl.password',
    ],
    ["kafka: { tls: { enabled: true,\n server_name: '${NAME}' } }", 2, 'kafka.tls.server_name'],
    ["registry:\n  url: 'http://${REGISTRY}:8081'", 2, 'registry.url'],
    ["registry:\n  url: 'http://registry/${TENANT}'", 2, 'registry.url'],
    ["worker:\n  topic: '${TOPIC}'", 2, 'worker.topic'],
    ["worker:\n  group: 'penstock-${STAGE}'", 2, 'worker.group'],
    ["worker:\n  dead_topic: '{{ topic }}'", 2, 'worker.dead_topic'],
    ["worker:\n  session_timeout: '${TIMEOUT}'", 2, 'worker.session_timeout'],
    ["admin:\n  listen: '${HOST}:9480'", 2, 'admin.listen'],
    [NODE('http://${HOST}:8429'), 3, 'nodes[0].url'],
    [NODE('https://a:8429', "    bearer_token: '${TOKEN}'"), 4, 'nodes[0].bearer_token'],
    [
      "routes:\n  - name: r\n    topic: '${TOPIC}'\n    task: { labels: [a], count: 1 }",
      3,
      'routes[0].topic',
    ],
    ["routes:\n  - name: r\n    task: { count: 1, labels: ['${LABEL}'] }", 3, 'routes[0].task.labels[0]'],
  ] as const) {
    it(`names the line of ${key}`, () => {
      const [message = '', ...others] = refusal(text).split('\n');
      assert.deepEqual(others, []);
      assert.ok(message.startsWith(`f.yml:${line}: ${key}: `), message);
      assert.match(message, hint);
    });
  }

  it('says which variable overrides the key', () => {
    const message = refusal("kafka: { brokers: ['${KAFKA}:9092'] }");
    assert.match(message, /"\$\{KAFKA\}" is not a host name; expected host:port.*PENSTOCK_KAFKA_BROKERS/);
    assert.doesNotMatch(
      refusal("kafka: { sasl: { mechanism: scram-sha-512, username: u, password: '${P}' } }"),
      /\$\{P\}/,
    );
  });

  it('the environment is held to the same', () => {
    const message = refusal('', {
      PENSTOCK_KAFKA_BROKERS: 'a:1,$(KAFKA):9092',
      PENSTOCK_WORKER_GROUP: '${G}',
    });
    assert.match(
      message,
      /^PENSTOCK_KAFKA_BROKERS: kafka\.brokers\[1\]: .*"\$\(KAFKA\)" is not a host name/m,
    );
    assert.match(message, /^PENSTOCK_WORKER_GROUP: worker\.group: "\$\{G\}" is no value/m);
  });

  it('names have no control characters and no blanks around them', () => {
    assert.match(refusal('worker: { group: "a\\tb" }'), /worker\.group: .* is no name/);
    assert.match(refusal("worker: { group: ' a' }"), /is no name/);
    assert.match(refusal('kafka: { client_id: "a\\u0000" }'), /is no name/);
    assert.match(refusal("worker: { group: '' }"), /is no name/);
    assert.equal(refusal("worker: { group: 'my group/é' }"), '');
  });

  it('leaves alone what only looks a little like a variable', () => {
    const azure =
      "kafka: { sasl: { mechanism: scram-sha-512, username: $ConnectionString, password: 'Endpoint=sb://x' } }";
    assert.equal(refusal(azure), '');
    const password = "kafka: { sasl: { mechanism: scram-sha-512, username: a$b, password: 'x${y}z' } }";
    assert.equal(refusal(password), '');
    const route = 'routes: [{ name: r, match: [\'{a=~"${b}"}\'], task: { labels: [a], count: 1 },';
    assert.equal(refusal(`${route} relabel: [{ target_label: a, replacement: '\${1}' }] }]`), '');
  });
});
