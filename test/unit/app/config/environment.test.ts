import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leavesOf } from '../../../../src/app/config/leaves.ts';
import { type Config, parseConfig } from '../../../../src/app/config/load.ts';
import { processOptions } from '../../../../src/app/config/schema.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

const leaves = leavesOf(processOptions);

function load(env: Record<string, string>, text = '', files: Record<string, string> = {}): Config {
  return parseConfig(text, 'penstock.yml', env, (path) => {
    if (files[path] === undefined) throw new Error(`no such file ${path}`);
    return files[path];
  });
}

function refusal(env: Record<string, string>, text = '', files: Record<string, string> = {}): string {
  try {
    load(env, text, files);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail('the environment was accepted');
}

describe('the variable of each key', () => {
  it('is PENSTOCK_ and the path in capitals', () => {
    const names = leaves.map((leaf) => leaf.env);
    for (const name of [
      'KAFKA_BROKERS',
      'DRAIN_NODE',
      'ADMIN_LISTEN',
      'WORKER_LIMITS_RECORD_BYTES',
      'STOP_DEADLINE',
    ]) {
      assert.ok(names.includes(`PENSTOCK_${name}`), name);
    }
  });

  it('is its alone, also with _FILE behind it', () => {
    const names = leaves.flatMap((leaf) => (leaf.secret ? [leaf.env, `${leaf.env}_FILE`] : [leaf.env]));
    assert.equal(new Set(names).size, names.length);
  });

  it('every key has a description', () => {
    assert.deepEqual(
      leaves.filter((leaf) => leaf.description === '').map((leaf) => leaf.env),
      [],
    );
  });
});

describe('layers', () => {
  it('the environment wins over the file, the file over the default', () => {
    const text = 'worker: { topic: from.file, group: from-file }';
    const config = load({ PENSTOCK_WORKER_TOPIC: 'from.env' }, text);
    assert.equal(config.worker.topic, 'from.env');
    assert.equal(config.worker.group, 'from-file');
    assert.equal(config.worker.dead_topic, 'metrics.dead');
  });

  it('texts become numbers, booleans, lists, durations and sizes', () => {
    const config = load({
      PENSTOCK_KAFKA_BROKERS: 'a:1, b:2',
      PENSTOCK_KAFKA_TLS_ENABLED: 'true',
      PENSTOCK_TOPICS_RAW_PARTITIONS: '24',
      PENSTOCK_WORKER_QUEUE_BYTES: '1MiB',
      PENSTOCK_WORKER_FETCH_MAX_BYTES: '4096',
      PENSTOCK_STOP_DEADLINE: '5s',
      PENSTOCK_WORKER_TENANT_HEADERS: '',
    });
    assert.deepEqual(config.kafka.brokers, ['a:1', 'b:2']);
    assert.equal(config.kafka.tls.enabled, true);
    assert.equal(config.topics.raw.partitions, 24);
    assert.equal(config.worker.queue_bytes, 2 ** 20);
    assert.equal(config.worker.fetch_max_bytes, 4096);
    assert.equal(config.stop_deadline, 5_000);
    assert.deepEqual(config.worker.tenant_headers, []);
  });

  it('a text that looks like a number stays a text where a text belongs', () => {
    assert.equal(load({ PENSTOCK_KAFKA_CLIENT_ID: '7' }).kafka.client_id, '7');
  });
});

describe('a bad value names its variable, not the file', () => {
  const text = 'stop_deadline: 5s\nkafka: { brokers: [a:1], tls: {enabled: false} }';
  const cases: [variable: string, value: string, expected: string][] = [
    ['PENSTOCK_STOP_DEADLINE', 'soon', 'stop_deadline: "soon" cannot be read; expected a duration'],
    ['PENSTOCK_KAFKA_BROKERS', 'a:1,b', 'kafka.brokers[1]: "b" is no address'],
    ['PENSTOCK_KAFKA_BROKERS', '', 'kafka.brokers: the list is empty'],
    ['PENSTOCK_KAFKA_TLS_ENABLED', 'yes', 'kafka.tls.enabled: "yes" does not fit; expected true or false'],
    ['PENSTOCK_TOPICS_RAW_PARTITIONS', 'x', 'topics.raw.partitions: "x" does not fit; expected a number'],
    ['PENSTOCK_TOPICS_RAW_PARTITIONS', '', 'topics.raw.partitions: "" does not fit; expected a number'],
    ['PENSTOCK_LOG_LEVEL', 'loud', 'log.level: "loud" is unknown; expected one of fatal'],
    ['PENSTOCK_DRAIN_NODE', 'a', 'drain.node: there is no node "a"'],
    ['PENSTOCK_WORKER_HEARTBEAT_INTERVAL', '20s', 'worker.heartbeat_interval: 20000 ms is too long'],
  ];
  for (const [variable, value, expected] of cases) {
    it(`${variable}=${value}`, () => {
      const message = refusal({ [variable]: value }, text);
      assert.equal(message.slice(0, variable.length + 2 + expected.length), `${variable}: ${expected}`);
    });
  }
});

describe('unknown variables', () => {
  it('are refused with the nearest known one', () => {
    const message = refusal({ PENSTOCK_KAFKA_BROKER: 'a:1' });
    assert.equal(message, 'PENSTOCK_KAFKA_BROKER: sets no key; expected PENSTOCK_KAFKA_BROKERS?');
  });

  it('are refused when nothing is near', () => {
    assert.match(
      refusal({ PENSTOCK_QQQ: '1' }),
      /^PENSTOCK_QQQ: sets no key; expected PENSTOCK_ and the path of a key/,
    );
  });

  it('routes and nodes are not set by the environment', () => {
    assert.match(refusal({ PENSTOCK_NODES: 'a' }), /^PENSTOCK_NODES: sets no key/);
  });

  it("the tests' own, PENSTOCK_CONFIG and those of others are left alone", () => {
    load({ PENSTOCK_TEST_BROKERS: 'a:1', PENSTOCK_CONFIG: 'x.yml', KAFKA_BROKERS: 'b', PATH: '/bin' });
  });

  it("Kubernetes' variables of a Service named penstock… are left alone", () => {
    load({
      PENSTOCK_SERVICE_HOST: '10.0.0.1',
      PENSTOCK_SERVICE_PORT: '9480',
      PENSTOCK_SERVICE_PORT_ADMIN: '9480',
      PENSTOCK_PORT: 'tcp://10.0.0.1:9480',
      PENSTOCK_PORT_9480_TCP_ADDR: '10.0.0.1',
      PENSTOCK_DRAIN_PORT_9480_TCP: 'tcp://10.0.0.1:9480',
    });
  });
});

describe('secrets from files', () => {
  const sasl = 'kafka: { tls: { enabled: true }, sasl: { mechanism: plain, username: u } }';
  const variable = 'PENSTOCK_KAFKA_SASL_PASSWORD_FILE';

  it('are read, without the last newline', () => {
    const read = (text: string) =>
      load({ [variable]: '/run/p' }, sasl, { '/run/p': text }).kafka.sasl.password;
    assert.equal(read('hush\n'), 'hush');
    assert.equal(read('hush\r\n'), 'hush');
    assert.equal(read(' hush\n\n'), ' hush\n');
    assert.equal(read('hush'), 'hush');
  });

  it('a file that is not there names the variable', () => {
    assert.match(
      refusal({ [variable]: '/run/p' }, sasl),
      /PENSTOCK_KAFKA_SASL_PASSWORD_FILE: the file cannot be read/,
    );
  });

  it('an empty file is no password', () => {
    const message = refusal({ [variable]: '/run/p' }, sasl, { '/run/p': '\n' });
    assert.match(message, /^PENSTOCK_KAFKA_SASL_PASSWORD_FILE: kafka\.sasl\.password: the given value/);
  });

  it('the value and the file together are refused', () => {
    const env = { [variable]: '/run/p', PENSTOCK_KAFKA_SASL_PASSWORD: 'x' };
    assert.match(refusal(env, sasl, { '/run/p': 'y' }), /PENSTOCK_KAFKA_SASL_PASSWORD is set too/);
  });

  it('only secrets have one', () => {
    assert.match(refusal({ PENSTOCK_KAFKA_SASL_USERNAME_FILE: '/run/p' }), /sets no key/);
  });
});
