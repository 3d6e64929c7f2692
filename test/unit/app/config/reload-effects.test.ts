import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type * as z from 'zod';
import { leavesOf } from '../../../../src/app/config/leaves.ts';
import { type Config, parseConfig } from '../../../../src/app/config/load.ts';
import { type ReloadEffect, reloadEffect, reloadPlan } from '../../../../src/app/config/reload-effects.ts';
import { options, processOptions } from '../../../../src/app/config/schema.ts';
import { nodeOptions, routeOptions } from '../../../../src/core/route/options.ts';

/** What a reload means for each key: worker, drain. A new key needs a line here, and what it says to be true. */
const TABLE: Readonly<Record<string, readonly [worker: ReloadEffect, drain: ReloadEffect]>> = {
  'worker.group': ['restart', 'applied'],
  ...all(
    ['restart', 'restart'],
    [
      ...under('kafka', ['brokers', 'client_id', 'connection_timeout', 'request_timeout']),
      ...under('kafka.tls', [
        'enabled',
        'ca_file',
        'cert_file',
        'key_file',
        'server_name',
        'insecure_skip_verify',
      ]),
      ...under('kafka.sasl', ['mechanism', 'username', 'password', 'token_url', 'token_ca_file']),
      ...under('kafka.sasl', ['oauth_client_id', 'oauth_client_secret', 'scope', 'allow_insecure']),
      'admin.listen',
    ],
  ),
  ...all(
    ['restart', 'unused'],
    [
      'worker.processes',
      ...under('worker', ['delivery', 'transaction_timeout']),
      ...under('worker', ['session_timeout', 'heartbeat_interval', 'rebalance_timeout']),
    ],
  ),
  ...all(
    ['unused', 'restart'],
    [...under('drain', ['node', 'session_timeout', 'heartbeat_interval', 'rebalance_timeout'])],
  ),
  ...all(
    ['applied', 'applied'],
    [
      ...under('worker', ['dead_topic', 'tenant_headers', 'topic', 'topics']),
      ...under('nodes', ['name', 'number']),
      'ownership',
      ...under('routes', ['name', 'topic', 'task.count']),
      'allow_no_routes',
      'admin.reload_token',
      'log.level',
      'stop_deadline',
    ],
  ),
  ...all(
    ['applied', 'unused'],
    [
      'worker.encoding',
      ...under('worker.influx', ['precision', 'measurement_field_separator', 'skip_measurement']),
      ...under('worker.influx', ['skip_single_field', 'db_label', 'trim_timestamp_ms']),
      ...under('worker.graphite', ['sanitize_metric_name', 'trim_timestamp_ms']),
      'worker.opentsdb.trim_timestamp_ms',
      'worker.opentsdb_http.trim_timestamp_ms',
      'worker.json.unknown_members',
      ...under('worker.mapping', ['series', 'name', 'labels', 'label_name', 'label_value', 'label_fields']),
      ...under('worker.mapping', ['constant_labels', 'samples', 'value', 'timestamp', 'timestamp_unit']),
      ...under('worker.otlp', ['use_prometheus_naming', 'convert_metric_names_to_prometheus']),
      'worker.otlp.label_name_underscore_sanitization',
      ...under('worker', ['commit_interval', 'fetch_max_bytes', 'fetch_max_wait', 'queue_bytes']),
      ...under('worker', ['series_cache_bytes', 'on_offset_gap', 'on_corrupt_batch']),
      ...under('worker.limits', [
        'record_bytes',
        'series_per_record',
        'faults_per_record',
        'buckets_per_histogram',
      ]),
      ...under('worker.limits', [
        'record_time',
        'labels_per_series',
        'label_name_bytes',
        'label_value_bytes',
      ]),
      ...under('worker.limits', ['tenant_bytes', 'max_age', 'max_future']),
      ...under('registry', ['url', 'username', 'password', 'allow_insecure', 'timeout', 'missing_ttl']),
      ...under('registry.tls', ['ca_file', 'cert_file', 'key_file', 'server_name', 'insecure_skip_verify']),
      ...under('routes', ['match', 'dialect', 'relabel', 'relabel_file']),
      ...under('routes.task', ['labels', 'spread', 'hash', 'label']),
    ],
  ),
  ...all(
    ['unused', 'applied'],
    [
      ...under('nodes', ['url', 'basic_auth.username', 'basic_auth.password', 'basic_auth.password_file']),
      ...under('nodes', ['bearer_token', 'bearer_token_file', 'allow_insecure']),
      ...under('nodes.tls', ['ca_file', 'cert_file', 'key_file', 'server_name', 'insecure_skip_verify']),
      ...under('drain', [
        'fetch_max_bytes',
        'fetch_max_wait',
        'queue_bytes',
        'request_timeout',
        'backoff_min',
      ]),
      ...under('drain', ['backoff_max', 'late_after', 'failover_after', 'on_offset_gap', 'on_corrupt_batch']),
    ],
  ),
  ...all(
    ['unused', 'unused'],
    [
      'routes.partitions',
      ...under('replay.storage', [
        'username',
        'password',
        'bearer_token',
        'allow_insecure',
        'request_timeout',
      ]),
      ...under('replay.storage', ['backoff_min', 'backoff_max']),
      ...under('replay.storage.tls', [
        'ca_file',
        'cert_file',
        'key_file',
        'server_name',
        'insecure_skip_verify',
      ]),
      ...under('topics', ['replication_factor', 'min_insync_replicas', 'raw.partitions', 'raw.retention']),
      ...under('topics', ['tasks.retention', 'tasks.max_message_bytes', 'dead.partitions', 'dead.retention']),
    ],
  ),
};

function under(section: string, keys: readonly string[]): string[] {
  return keys.map((key) => `${section}.${key}`);
}

function all(effects: readonly [ReloadEffect, ReloadEffect], keys: readonly string[]) {
  return Object.fromEntries(keys.map((key) => [key, effects]));
}

/** Every key that a file may have, items of lists without their positions. */
function everyKey(): string[][] {
  const inLists = Object.entries({ routes: routeOptions, nodes: nodeOptions }).flatMap(([section, item]) =>
    leavesOf(item as z.ZodType).map(({ path }) => [section, ...path]),
  );
  return [...leavesOf(processOptions).map(({ path }) => [...path]), ...inLists];
}

const file = new URL('../../../../config/penstock.yml', import.meta.url).pathname;
const config = parseConfig(readFileSync(file, 'utf8'), file, {}, () => '- {action: labeldrop, regex: x}');

/** The configuration with another value at a key; of a list's item, the first one's. */
function changed(path: readonly string[]): Config {
  const copy = Object.fromEntries(
    Object.keys(options.shape).map((key) => [key, structuredClone(config[key as keyof Config])]),
  ) as unknown as Config;
  const [section, ...rest] = path;
  const isList = section === 'routes' || section === 'nodes';
  let level = (isList ? [section, 0, ...rest.slice(0, -1)] : path.slice(0, -1)).reduce<
    Record<string, unknown>
  >((at, step) => (at[step] ??= {}) as Record<string, unknown>, copy as unknown as Record<string, unknown>);
  if (level === undefined) level = {};
  level[path.at(-1)!] = 'another value';
  return copy;
}

describe('what a reload means', () => {
  it('is said of every key of the configuration', () => {
    const keys = everyKey().map((path) => path.join('.'));
    assert.deepEqual(Object.keys(TABLE).sort(), keys.sort());
  });

  for (const [at, command] of (['worker', 'drain'] as const).entries()) {
    it(`is so for a ${command}, and a changed key is named in its place`, () => {
      for (const path of everyKey()) {
        const key = path.join('.');
        const expected = TABLE[key]![at]!;
        assert.equal(reloadEffect(command, path), expected, key);
        const plan = reloadPlan(command, config, changed(path));
        const named = Object.values(plan).flat();
        // With another name an item is another one.
        const isName = path.length === 2 && path[1] === 'name';
        const text = isName ? path[0] : key.replace(/^(routes|nodes)\./, '$1[0].');
        assert.deepEqual(named, [text], key);
        if (!isName) assert.deepEqual(plan[expected], [text], key);
      }
    });

    it(`is nothing where nothing has changed (${command})`, () => {
      assert.deepEqual(reloadPlan(command, config, config), { applied: [], restart: [], unused: [] });
    });
  }

  it('knows routes and nodes by their names', () => {
    const [first, ...others] = config.routes;
    const longer = { ...first!, task: { ...first!.task, count: 64 } };
    const plan = reloadPlan('worker', config, { ...config, routes: [...others, longer] });
    assert.deepEqual(plan.applied, ['routes', `routes[${others.length}].task.count`]);
    assert.deepEqual(reloadPlan('drain', config, { ...config, nodes: config.nodes.slice(1) }).applied, [
      'nodes',
    ]);
  });
});

describe('the hash of a configuration', () => {
  const ROUTE =
    'routes: [{name: a, task: {labels: [x], count: 8}, relabel: [{action: labeldrop, regex: "1.0"}]}]';
  const hashOf = (text: string, env: Record<string, string> = {}, rules = '') =>
    parseConfig(text, '/dir/penstock.yml', env, () => rules).hash;

  it('is that of what the file says', () => {
    const hash = hashOf(`${ROUTE}\nlog: {level: warn}\nadmin: {listen: ":1"}`);
    assert.match(hash, /^[0-9a-f]{12}$/);
    assert.equal(hashOf(`# why\nadmin:\n  listen: ":1"\nlog: {level: "warn"}\n${ROUTE}\n`), hash);
    assert.notEqual(hashOf(`${ROUTE}\nlog: {level: info}\nadmin: {listen: ":1"}`), hash);
    assert.notEqual(
      hashOf(`${ROUTE.replace('1.0', '1.1')}\nlog: {level: warn}\nadmin: {listen: ":1"}`),
      hash,
    );
  });

  it('does not change with the order of keys within a rule, but with that of rules', () => {
    const withRules = (rules: string) =>
      hashOf(`routes: [{name: a, task: {labels: [x], count: 8}, relabel: [${rules}]}]`);
    const hash = withRules(
      '{action: graphite, match: "*.*", labels: {a: $1, b: $2}}, {action: labeldrop, regex: c}',
    );
    assert.equal(
      withRules('{labels: {b: $2, a: $1}, match: "*.*", action: graphite}, {regex: c, action: labeldrop}'),
      hash,
    );
    assert.notEqual(
      withRules('{action: labeldrop, regex: c}, {action: graphite, match: "*.*", labels: {a: $1, b: $2}}'),
      hash,
    );
  });

  it('leaves the environment and secrets out, and has the rules of relabel files', () => {
    assert.equal(hashOf(ROUTE, { PENSTOCK_LOG_LEVEL: 'debug' }), hashOf(ROUTE));
    const token = (secret: string) => hashOf(`${ROUTE}\nadmin: {reload_token: ${secret}}`);
    assert.equal(token('one'), token('two'));
    const inFile = 'routes: [{name: a, task: {labels: [x], count: 8}, relabel_file: a.yml}]';
    const byRule = (regex: string) => hashOf(inFile, {}, `- {action: labeldrop, regex: ${regex}}`);
    assert.notEqual(byRule('a'), byRule('b'));
  });
});
