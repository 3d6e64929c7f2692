import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { type Config, locate, parseConfig } from '../../../../src/app/config/load.ts';
import { InvalidConfig } from '../../../../src/app/config/problem.ts';
import { MASK, redacted } from '../../../../src/app/config/redact.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

const FILE = 'dir/penstock.yml';

interface Given {
  env?: Record<string, string>;
  files?: Record<string, string>;
}

function load(text: string, { env = {}, files = {} }: Given = {}): Config {
  return parseConfig(text, FILE, env, (path) => {
    const found = Object.entries(files).find(([name]) => path === name || path.endsWith(`/dir/${name}`));
    if (found === undefined) throw new Error(`no such file ${path}`);
    return found[1];
  });
}

/** The lines of the refusal. */
function refusal(text: string, given: Given = {}): string[] {
  try {
    load(text, given);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message.split('\n');
  }
  assert.fail('the configuration was accepted');
}

/** A file with one good route, changed or completed by `more`, which begins on line 6. */
function withRoute(more: string): string {
  return ['routes:', '  - name: http', '    task:', '      labels: [service]', '      count: 8', more].join(
    '\n',
  );
}

describe('defaults', () => {
  it('an empty file has every default', () => {
    const config = load('');
    assert.deepEqual(config.kafka.brokers, ['localhost:9092']);
    assert.equal(config.worker.topic, 'metrics.raw');
    assert.equal(config.worker.delivery, 'exactly_once');
    assert.equal(config.worker.queue_bytes, 64 * 2 ** 20);
    assert.equal(config.drain.backoff_min, 100);
    assert.equal(config.topics.dead.retention, 14 * 86_400_000);
    assert.equal(config.stop_deadline, 20_000);
    assert.deepEqual(config.routes, []);
    assert.deepEqual(config.nodes, []);
  });

  it('an empty section has its defaults', () => {
    assert.deepEqual(load('kafka:\ndrain:\n  # node: a\n').kafka, load('').kafka);
  });

  it('a route has a topic by its name and as many partitions as tasks', () => {
    const [route] = load(withRoute('')).routes;
    assert.equal(route?.topic, 'metrics.tasks.http');
    assert.equal(route?.partitions, 8);
    assert.equal(route?.dialect, 'victoriametrics');
    assert.deepEqual(route?.task, {
      labels: ['service'],
      count: 8,
      spread: 1,
      hash: 'jump',
      label: 'stream_task_id',
    });
  });

  it("a node's URL without a path gets remote write's", () => {
    const config = load(
      'nodes:\n  - {name: a, url: "http://a:8429"}\n  - {name: b, url: "https://b/insert/1?x=y"}',
    );
    assert.deepEqual(
      config.nodes.map((node) => node.url),
      ['http://a:8429/api/v1/write', 'https://b/insert/1?x=y'],
    );
  });
});

describe('durations and sizes', () => {
  const durations = {
    '250ms': 250,
    '1.5s': 1_500,
    '30s': 30_000,
    '5m': 300_000,
    '1h': 3_600_000,
    '7d': 604_800_000,
    '42': 42,
  };
  for (const [text, ms] of Object.entries(durations)) {
    it(`${text} is ${ms} ms`, () => assert.equal(load(`stop_deadline: ${text}`).stop_deadline, ms));
  }

  const sizes = {
    '900KiB': 921_600,
    '64MiB': 67_108_864,
    '1KB': 1_000,
    '1.5MiB': 1_572_864,
    '42B': 42,
    '42': 42,
  };
  for (const [text, bytes] of Object.entries(sizes)) {
    it(`${text} is ${bytes} bytes`, () => {
      assert.equal(load(`worker: { queue_bytes: ${text} }`).worker.queue_bytes, bytes);
    });
  }

  for (const bad of [
    '"5 "',
    '5 s',
    '-1s',
    '5S',
    'soon',
    '1e3s',
    '""',
    '[1]',
    'true',
    '~',
    '-5',
    '0',
    '0.5',
    '.nan',
    '25d',
  ]) {
    it(`${bad} is refused as a stop deadline`, () => {
      assert.match(
        refusal(`stop_deadline: ${bad}`)[0]!,
        /^dir\/penstock\.yml:1: stop_deadline: .*; expected /,
      );
    });
  }

  it('a size that Kafka cannot hold is refused', () => {
    assert.match(refusal('worker: { fetch_max_bytes: 2GiB }')[0]!, /out of range; expected .* to 2147483647/);
  });
});

describe('each problem is told with its line', () => {
  const cases: [name: string, text: string, expected: string][] = [
    ['an unknown key', 'kafka:\n  broker: x', '2: kafka.broker: unknown key; expected brokers?'],
    ['an unknown section', 'log: {}\nrotues: []', '2: rotues: unknown key; expected routes?'],
    ['an unknown key far from any', 'log:\n  zzzzzz: 1', '2: log.zzzzzz: unknown key; expected one of level'],
    [
      'an unknown key of a task',
      withRoute('      sprad: 2'),
      '6: routes[0].task.sprad: unknown key; expected spread?',
    ],
    ['a section that is none', 'kafka: 3', '1: kafka: the given value does not fit; expected a mapping'],
    ['a mapping for a value', 'kafka:\n  client_id: {a: 1}', '2: kafka.client_id: a mapping does not fit'],
    ['a wrong type', 'kafka:\n  client_id: 7', '2: kafka.client_id: 7 does not fit; expected a text'],
    [
      'no boolean',
      'kafka:\n  tls:\n    enabled: maybe',
      '3: kafka.tls.enabled: "maybe" does not fit; expected true or false',
    ],
    [
      'an unknown choice',
      'worker:\n  delivery: once',
      '2: worker.delivery: "once" is unknown; expected one of exactly_once, at_least_once',
    ],
    [
      'a broker without port',
      'kafka:\n  brokers:\n    - a:1\n    - b',
      '4: kafka.brokers[1]: "b" is no address',
    ],
    ['no broker', 'kafka:\n  brokers: []', '2: kafka.brokers: the list is empty'],
    ['a bad topic', 'worker:\n  topic: a/b', '2: worker.topic: "a/b" is no topic name'],
    ['a bad listen address', 'admin:\n  listen: "9480"', '2: admin.listen: "9480" is no address'],
    [
      'a negative limit',
      'worker:\n  limits:\n    labels_per_series: -1',
      '3: worker.limits.labels_per_series: -1 is out of range; expected at least 0',
    ],
    [
      'a slow heartbeat',
      'worker:\n  heartbeat_interval: 15s',
      '2: worker.heartbeat_interval: 15000 ms is too long',
    ],
    [
      'a slow heartbeat of a drain',
      'drain:\n  session_timeout: 2s',
      '1: drain.heartbeat_interval: 3000 ms is too long',
    ],
    [
      'a step longer than a transaction',
      'worker:\n  commit_interval: 31s',
      '2: worker.commit_interval: 31000 ms is too long',
    ],
    ['backoff upside down', 'drain:\n  backoff_min: 31s', '2: drain.backoff_min: 31000 ms is too long'],
    [
      'a failover that is not there',
      'drain:\n  failover_after: 5m',
      '2: drain.failover_after: "5m" is unknown; expected one of never',
    ],
    [
      'more in-sync replicas than replicas',
      'topics:\n  replication_factor: 1\n  min_insync_replicas: 2',
      '3: topics.min_insync_replicas: 2 can never be met',
    ],
    [
      'dead letters into the ingest topic',
      'worker:\n  dead_topic: metrics.raw',
      '2: worker.dead_topic: "metrics.raw" is the ingest topic too',
    ],
    ['a later section', 'gateway:\n  listen: x', '1: gateway: unknown key'],

    ['TLS keys without TLS', 'kafka:\n  tls:\n    ca_file: ca.pem', '3: kafka.tls.ca_file: TLS is off'],
    [
      'a certificate without key',
      'kafka:\n  tls:\n    enabled: true\n    cert_file: c.pem',
      '4: kafka.tls.cert_file: a certificate without its key',
    ],
    [
      'a key without certificate',
      'kafka:\n  tls:\n    enabled: true\n    key_file: k.pem',
      '4: kafka.tls.key_file: a key without its certificate',
    ],
    [
      'a certificate that is not there',
      'kafka:\n  tls:\n    enabled: true\n    ca_file: ca.pem',
      '4: kafka.tls.ca_file: the file cannot be read',
    ],
    [
      'a mechanism without user',
      'kafka:\n  sasl:\n    mechanism: plain\n    password: p',
      '2: kafka.sasl.username: missing',
    ],
    [
      'a mechanism without password',
      'kafka:\n  sasl:\n    mechanism: scram-sha-256\n    username: u',
      '2: kafka.sasl.password: missing',
    ],
    [
      'oauth without URL',
      'kafka:\n  sasl: {mechanism: oauthbearer, oauth_client_id: a, oauth_client_secret: b}',
      '2: kafka.sasl.token_url: missing',
    ],
    [
      'a user without mechanism',
      'kafka:\n  sasl:\n    username: u',
      '3: kafka.sasl.username: mechanism none has no use for it',
    ],
    [
      'a scope without oauth',
      'kafka:\n  sasl: {mechanism: scram-sha-256, username: u, password: p, scope: s}',
      '2: kafka.sasl.scope: mechanism scram-sha-256 has no use',
    ],

    [
      'a route without name',
      'routes:\n  - task: {labels: [a], count: 1}',
      '2: routes[0].name: missing; expected a text',
    ],
    ['a route without task', 'routes:\n  - name: a', '2: routes[0].task: missing; expected a mapping'],
    [
      'a bad route name',
      'routes:\n  - name: A b\n    task: {labels: [a], count: 1}',
      '2: routes[0].name: "A b" is no route name',
    ],
    ['routes that are no list', 'routes: all', '1: routes: "all" does not fit; expected a list'],
    [
      'a route that is no mapping',
      'routes:\n  - all',
      '2: routes[0]: "all" does not fit; expected a mapping',
    ],
    [
      'match that is no list',
      withRoute('    match: a'),
      '6: routes[0].match: "a" does not fit; expected a list',
    ],
    [
      'no task labels',
      'routes:\n  - name: a\n    task:\n      labels: []\n      count: 1',
      '4: routes[0].task.labels: the list is empty',
    ],
    [
      'a task label twice',
      'routes:\n  - name: a\n    task:\n      labels: [a, a]\n      count: 1',
      '4: routes[0].task.labels[1]: "a" is in the list already',
    ],
    [
      'the task label as group label',
      'routes:\n  - name: a\n    task:\n      labels: [stream_task_id]\n      count: 1',
      '4: routes[0].task.labels[0]: "stream_task_id" is the label that carries',
    ],
    [
      'count 0',
      'routes:\n  - name: a\n    task:\n      labels: [a]\n      count: 0',
      '5: routes[0].task.count: 0 is out of range; expected at least 1',
    ],
    [
      'count too high',
      'routes:\n  - name: a\n    task:\n      labels: [a]\n      count: 100001',
      '5: routes[0].task.count: 100001 is out of range; expected at most 100000',
    ],
    [
      'half a task',
      'routes:\n  - name: a\n    task:\n      labels: [a]\n      count: 1.5',
      '5: routes[0].task.count: 1.5 does not fit; expected a whole number',
    ],
    ['spread 0', withRoute('      spread: 0'), '6: routes[0].task.spread: 0 is out of range'],
    [
      'spread above count',
      withRoute('      spread: 9'),
      '6: routes[0].task.spread: 9 is more than there are tasks; expected at most count (8)',
    ],
    [
      'an unknown hash',
      withRoute('      hash: md5'),
      '6: routes[0].task.hash: "md5" is unknown; expected one of jump, mod',
    ],
    ['a bad task label', withRoute('      label: 1x'), '6: routes[0].task.label: "1x" is no label name'],
    [
      'the metric name as task label',
      withRoute('      label: __name__'),
      "6: routes[0].task.label: __name__ is the metric's name",
    ],
    ['an unknown dialect', withRoute('    dialect: mimir'), '6: routes[0].dialect: "mimir" is unknown'],
    [
      'fewer partitions than tasks',
      withRoute('    partitions: 7'),
      '5: routes[0].task.count: 8 tasks do not fit 7 partitions',
    ],
    [
      'relabel twice',
      withRoute('    relabel: []\n    relabel_file: r.yml'),
      '7: routes[0].relabel_file: relabel is given too',
    ],
    [
      'a relabel file that is not there',
      withRoute('    relabel_file: gone.yml'),
      '6: routes[0].relabel_file: the file cannot be read',
    ],
    [
      'a route into the ingest topic',
      withRoute('    topic: metrics.raw'),
      '6: routes[0].topic: "metrics.raw" is the ingest topic',
    ],
    [
      'a route into the dead letters',
      withRoute('    topic: metrics.dead'),
      '6: routes[0].topic: "metrics.dead" is the dead-letter topic',
    ],
    [
      'two routes of one name',
      withRoute('  - name: http\n    topic: b\n    task: {labels: [a], count: 8}'),
      '6: routes[1].name: "http" is the name of routes[0] too',
    ],
    [
      'one topic with two counts',
      withRoute('  - name: b\n    topic: metrics.tasks.http\n    task: {labels: [a], count: 9}'),
      '8: routes[1].task.count: route http has topic metrics.tasks.http too, with count 8',
    ],
    [
      'one topic with two numbers of partitions',
      withRoute(
        '  - name: b\n    topic: metrics.tasks.http\n    partitions: 9\n    task: {labels: [a], count: 8}',
      ),
      '8: routes[1].partitions: route http has topic metrics.tasks.http too, with 8 partitions',
    ],

    [
      'a URL that is none',
      'nodes:\n  - name: a\n    url: vmagent',
      '3: nodes[0].url: "vmagent" is no HTTP URL',
    ],
    ['another scheme', 'nodes:\n  - name: a\n    url: ftp://a', '3: nodes[0].url: "ftp://a" is no HTTP URL'],
    [
      'a password in a URL',
      'nodes:\n  - name: a\n    url: http://u:hush@a',
      '3: nodes[0].url: the URL carries a user name or password',
    ],
    [
      'a bad node name',
      'nodes:\n  - name: a b\n    url: http://a',
      '2: nodes[0].name: "a b" is no node name',
    ],
    [
      'two nodes of one name',
      'nodes:\n  - {name: a, url: "http://a"}\n  - {name: a, url: "http://b"}',
      '3: nodes[1].name: "a" is the name of nodes[0] too',
    ],
    [
      'a drain of an unknown node',
      'drain:\n  node: vmagent_1\nnodes:\n  - {name: vmagent-1, url: "http://a"}',
      '2: drain.node: there is no node "vmagent_1"; expected vmagent-1?',
    ],
    [
      'a drain without nodes',
      'drain:\n  node: a',
      '2: drain.node: there is no node "a"; expected it in nodes, which has none',
    ],

    ['broken YAML', 'kafka:\n  brokers: [a:1\nlog: {}', '3: this is no valid YAML'],
    ['a key twice', 'log: {}\nlog: {}', '2: this is no valid YAML'],
    [
      'a list for a file',
      '- a',
      '1: a list does not fit; expected a mapping with the keys kafka, worker, registry, routes',
    ],
  ];
  for (const [name, text, expected] of cases) {
    it(name, () => {
      const lines = refusal(text, { files: { 'c.pem': '', 'k.pem': '' } });
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.equal(lines[0]!.slice(0, FILE.length + 1 + expected.length), `${FILE}:${expected}`);
    });
  }

  it('all problems of a file at once, in the order of lines', () => {
    const text =
      'log: { level: loud }\nnodes:\n  - name: a\n    url: x\nroutes:\n  - name: 3\n  - {}\nstop_deadline: 1y';
    const lines = refusal(text, { env: { PENSTOCK_LOGLEVEL: 'info' } });
    assert.deepEqual(
      lines.map((line) => line.split(': ').slice(0, 2).join(' ')),
      [
        'PENSTOCK_LOGLEVEL sets no key; expected PENSTOCK_LOG_LEVEL?',
        `${FILE}:1 log.level`,
        `${FILE}:4 nodes[0].url`,
        `${FILE}:6 routes[0].name`,
        `${FILE}:6 routes[0].task`,
        `${FILE}:7 routes[1].name`,
        `${FILE}:7 routes[1].task`,
        `${FILE}:8 stop_deadline`,
      ],
    );
  });

  it('problems are also there as objects', () => {
    assert.throws(
      () => load('log: 1'),
      (error: unknown) => {
        assert.ok(error instanceof InvalidConfig);
        assert.deepEqual(error.problems, [
          {
            file: FILE,
            line: 1,
            path: 'log',
            message: '1 does not fit; expected a mapping with the keys level',
          },
        ]);
        return true;
      },
    );
  });

  it('a refused secret is not shown', () => {
    const [line] = refusal('kafka:\n  sasl: {mechanism: plain, username: u, password: 271828}');
    assert.match(line!, /kafka\.sasl\.password: the given value does not fit; expected a text/);
    assert.doesNotMatch(line!, /271828/);
  });
});

describe('files named in the configuration', () => {
  const text = 'kafka:\n  tls: {enabled: true, ca_file: tls/ca.pem}';

  it('are relative to it', () => {
    const config = load(text, { files: { 'tls/ca.pem': '' } });
    assert.equal(config.kafka.tls.ca_file, resolve('dir/tls/ca.pem'));
  });

  it('named by the environment are relative to the process', () => {
    const env = { PENSTOCK_KAFKA_TLS_CA_FILE: 'my.pem' };
    assert.equal(load(text, { env, files: { 'my.pem': '' } }).kafka.tls.ca_file, 'my.pem');
    assert.match(
      refusal(text, { env })[0]!,
      /^PENSTOCK_KAFKA_TLS_CA_FILE: kafka\.tls\.ca_file: the file cannot be read/,
    );
  });
});

describe('what may share', () => {
  it('two routes may share a topic with the same tasks', () => {
    const config = load(
      withRoute('  - name: b\n    topic: metrics.tasks.http\n    task: {labels: [a], count: 8}'),
    );
    assert.equal(config.routes[1]?.topic, config.routes[0]?.topic);
  });

  it('more partitions than tasks are fine', () => {
    assert.equal(load(withRoute('    partitions: 16')).routes[0]?.partitions, 16);
  });
});

describe('locate', () => {
  const text = withRoute(
    '    relabel:\n      - action: drop\n        regex: a\n        source_labels: [x]\nlog: {level: info}',
  );

  it('names the line of keys and list items', () => {
    const config = load(text, { env: { PENSTOCK_LOG_LEVEL: 'warn' } });
    assert.equal(locate(config, ['routes', 0]), `${FILE}:2`);
    assert.equal(locate(config, ['routes', 0, 'task', 'count']), `${FILE}:5`);
    assert.equal(locate(config, ['routes', 0, 'relabel', 0]), `${FILE}:7`);
    assert.equal(locate(config, ['routes', 0, 'relabel', 0, 'regex']), `${FILE}:8`);
    assert.equal(config.positions.lineOf(['routes', 0, 'relabel', 0, 'regex']), 8);
  });

  it('names the nearest line for what is not in the file', () => {
    assert.equal(locate(load(text), ['routes', 0, 'task', 'spread']), `${FILE}:3`);
    assert.equal(locate(load(text), ['ingest', 'topic']), `${FILE}:1`);
  });

  it('names the variable for what the environment set', () => {
    const config = load(text, { env: { PENSTOCK_LOG_LEVEL: 'warn' } });
    assert.equal(locate(config, ['log', 'level']), 'PENSTOCK_LOG_LEVEL');
  });

  it('names the relabel file for rules that came from there', () => {
    const config = load(withRoute('    relabel_file: r.yml'), {
      files: { 'r.yml': '# first\n- action: labeldrop\n  regex: x\n' },
    });
    assert.match(locate(config, ['routes', 0, 'relabel', 0, 'regex']), /dir\/r\.yml:3$/);
  });

  it('follows aliases', () => {
    const config = load('nodes:\n  - &n\n    name: a\n    url: http://a\nlog: {level: info}', {});
    assert.equal(locate(config, ['nodes', 0, 'url']), `${FILE}:4`);
  });
});

describe('secrets', () => {
  const text = 'kafka:\n  sasl: {mechanism: scram-sha-512, username: u, password: hush}';

  it('are masked in what is printed, and only they', () => {
    const config = load(text);
    assert.equal(config.kafka.sasl.password, 'hush');
    const printed = redacted(config);
    assert.equal(printed.kafka.sasl.password, MASK);
    assert.equal(printed.kafka.sasl.username, 'u');
    assert.doesNotMatch(JSON.stringify(printed), /hush/);
  });

  it('everything else of the printed form is the configuration', () => {
    const example = readFileSync(new URL('../../../../config/penstock.yml', import.meta.url), 'utf8');
    const config = parseConfig(example, FILE, {}, () => '- {action: drop, regex: 1.50, source_labels: [a]}');
    const {
      file: _file,
      texts: _texts,
      positions: _positions,
      oldNames: _oldNames,
      hash: _hash,
      routes,
      ...rest
    } = config;
    const { routes: printedRoutes, ...printed } = redacted(config);
    assert.deepEqual(printed, rest);
    assert.equal(printedRoutes.length, routes.length);
    assert.deepEqual(printedRoutes[1]?.relabel, [{ action: 'drop', regex: '1.50', source_labels: ['a'] }]);
  });
});
