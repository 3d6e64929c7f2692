/** Durations are counted by `monotonicMs`. Where the system's time is what is meant is listed here, with the reason. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ROOT } from '../lab/cache.ts';

/** Files of src/ that ask for the system's time, and what for. */
const SYSTEM_TIME: Readonly<Record<string, string>> = {
  'app/commands/dead.ts': 'times that the user gives, such as "1h ago"',
  'app/commands/decode.ts': 'samples without a time get that of receipt',
  'app/commands/expected-deployment.ts': 'ownership is a function of event time',
  'app/commands/explain.ts': 'ownership is a function of event time',
  'app/commands/generate.ts': 'times of the first samples',
  'app/service/reloader.ts': 'says when the configuration in force was read',
  'app/commands/kafka-session.ts': 'the clock of services that a command runs: replay, dead',
  'app/commands/replay.ts': 'times that the user gives',
  'app/commands/status.ts': 'age of records',
  'services/drain/drain.ts':
    'ownership is a function of event time; times of dead letters; latency of records',
  'io/remote-write/client.ts': 'Retry-After with a date',
  'services/worker/worker.ts':
    'time of receipt; latency: now less the times of samples; times of dead letters',
  'io/kafka/group/forgotten-offsets.ts': 'age of records, and of what another process has noted',
  'io/kafka/patch/produce-request.ts': 'records without a time get that of writing',
  'io/kafka/topic/topic-identity.ts': 'since when a partition is read, which is noted for other processes',
  'io/kafka/admin/topic-admin.ts': 'times of records are searched',
  'core/pipeline/pipeline.ts': 'age of samples',
  'services/status/unread-watch.ts': 'age of records',
  'io/telemetry/group-gauges.ts': 'age of records',
  'io/time/clock.ts': '`epochMs`, by which the others ask',
};

/** `epochMs` or `Date.now` called or passed on, and `new Date` of now; not `new Date(ms)`. */
const ASKS = /\bepochMs\b|\bDate\.now\b|\bnew Date(?:\(\)|(?!\())|(?<!new )\bDate\(\)/;

/** Comments may speak of it. */
function asksForTime(source: string): boolean {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*$/gm, '');
  return ASKS.test(code);
}

test("only what means the system's time asks for it", () => {
  const src = path.join(ROOT, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const asking = files.filter((file) => asksForTime(readFileSync(path.join(src, file), 'utf8')));
  const unlisted = asking.filter((file) => SYSTEM_TIME[file] === undefined);
  assert.deepEqual(
    unlisted,
    [],
    'count durations by monotonicMs, or give the file a line in SYSTEM_TIME of this test',
  );
});

/** Files of kafkajs that ask for the system's time, and why that does no harm. */
const KAFKAJS: Readonly<Record<string, string>> = {
  'cluster/brokerPool.js': 'replaced: patch/broker-pool.ts',
  'consumer/consumerGroup.js':
    'heartbeats are replaced (patch/group-membership.ts); else the duration of a join in an event that nobody hears, and ' +
    'how long a replica in the same rack is preferred, which is not asked for',
  'consumer/offsetManager/index.js': 'commits by itself, which is off',
  'consumer/runner.js': 'durations in events that nobody hears',
  'instrumentation/event.js': 'time of an event',
  'loggers/index.js': 'time of a line, which is not passed on',
  'network/requestQueue/index.js': 'replaced: patch/request-queue.ts',
  'network/requestQueue/socketRequest.js': 'durations in events that nobody hears',
  'protocol/message/v1/index.js': 'times of records, which always have one here',
  'protocol/recordBatch/v0/index.js': 'times of records, which always have one here',
  'protocol/requests/offsetCommit/v1/request.js': 'a version that no broker has had for long',
  'protocol/requests/produce/v2/request.js': 'times of records, which always have one here',
  'protocol/requests/produce/v3/request.js': 'times of records, which always have one here',
};

test("kafkajs asks for the system's time where that is known", () => {
  const src = path.join(ROOT, 'node_modules/kafkajs/src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => {
    return file.endsWith('.js') && !/\.(spec|test)\.js$|__mocks__|__tests__/.test(file);
  });
  const asking = files.filter((file) => asksForTime(readFileSync(path.join(src, file), 'utf8')));
  assert.deepEqual(
    asking.filter((file) => KAFKAJS[file] === undefined),
    [],
  );
});

describe('the rule itself', () => {
  test('sees what asks for the time', () => {
    for (const source of [
      'const a = Date.now();',
      'const a = epochMs();',
      'now = Date.now,',
      'new Date().toISOString()',
      'new Date;',
      'Date()',
    ])
      assert.ok(asksForTime(source), source);
  });

  test('sees nothing in times that are given, and in comments', () => {
    for (const source of [
      'new Date(ms)',
      '// Date.now()',
      '/** `Date.now` */',
      'Date.parse(text)',
      'Date.UTC(1, 0)',
    ])
      assert.ok(!asksForTime(source), source);
  });
});

test('io and app ask by epochMs alone', () => {
  const src = path.join(ROOT, 'src');
  const files = ['io', 'app'].flatMap((floor) =>
    readdirSync(path.join(src, floor), { recursive: true, encoding: 'utf8' }).map((file) =>
      path.join(floor, file),
    ),
  );
  const direct = files.filter((file) => {
    if (!file.endsWith('.ts') || file === 'io/time/clock.ts') return false;
    const code = readFileSync(path.join(src, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    return code.includes('Date.now');
  });
  assert.deepEqual(direct, []);
});
