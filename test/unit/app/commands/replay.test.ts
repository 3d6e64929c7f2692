import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import {
  askedReplay,
  type ReplayOptionValues,
  runOptions,
} from '../../../../src/app/commands/replay/arguments.ts';
import { targetSpec } from '../../../../src/app/commands/replay/target.ts';
import {
  formatBar,
  formatProgress,
  formatSeconds,
  formatShare,
} from '../../../../src/app/commands/replay/text.ts';
import { run } from '../../../../src/app/commands/replay.ts';
import { loadConfig } from '../../../../src/app/config/load.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'penstock-replay-'));
after(() => rmSync(folder, { recursive: true }));

describe('wrong usage is told before Kafka is asked', () => {
  const file = ['--to-file', 'x'];
  const wrong: [string[], RegExp][] = [
    [['lst'], /unknown action lst; expected list\?/],
    [['list', 'one'], /unexpected argument one/],
    [['list', '--rate', '5'], /--rate is no option of list/],
    [['stop'], /stop which\?/],
    [['stop', 'a b'], /a b: expected an id/],
    [['--from', '-1h'], /where to\? expected one of --to-route NAME, --to-storage URL, --to-file FILE/],
    [['--from', '-1h', ...file, '--to-route', 'http'], /--to-route and --to-file are both given/],
    [file, /which range\?/],
    [['--from', '-1h', '--to', '-2h', ...file], /the range is empty/],
    [['--from', 'yesterday', ...file], /--from yesterday: expected a time/],
    [['--from', '-1h', '--offsets', '0:1-2', ...file], /--from and --offsets are both given/],
    [['--offsets', '0:5-4', ...file], /the first offset is behind the last/],
    [['--offsets', '0:1-2,0:3-4', ...file], /names partition 0 twice/],
    [['--offsets', '1-2', ...file], /expected PARTITION:FIRST-LAST/],
    [['--from', '-1h', '--by', 'sample', ...file], /--by sample: expected one of record-time, sample-time/],
    [['--from', '-1h', '--margin', 'much', ...file], /--margin: "much" cannot be read/],
    [['--from', '-1h', '--sample', '5', ...file], /--sample 5: expected 1\/N/],
    [['--from', '-1h', '--sample', '1/0', ...file], /--sample 1\/0: expected 1\/N/],
    [['--from', '-1h', '--match', '{a=', ...file], /--match: invalid selector/],
    [['--from', '-1h', '--rate', '0', ...file], /--rate 0: expected a whole number from 1/],
    [['--from', '-1h', '--into-live', ...file], /--into-live does not go with --to-file/],
    [['--from', '-1h', '--to-route', 'http', '--route', 'x'], /--route does not go with --to-route/],
    [['--from', '-1h', '--to-storage', 'vm:8428'], /no HTTP URL/],
    [['--from', '-1h', '--to-storage', 'me:secret@vm:8428'], /the given value is no HTTP URL/],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: nobody expands it.
    [['--from', '-1h', '--to-storage', 'http://${VM}:8428'], /"\$\{VM\}" is not a host name/],
    [['--from', '-1h', '--topic', 'a b', ...file], /--topic: "a b" is no topic name/],
    [['--from', '-1h', '--to-storage', 'http://me:secret@vm:8428'], /carries a user name or password/],
    [['--from', '-1h', '--to-file', '-', '--json'], /would both write to standard output/],
    [['--from', '-1h', '--id', 'a.stop', ...file], /a\.stop: expected an id/],
    [['--from', '-1h', '--listen', 'here', ...file], /--listen: "here" is no address/],
    [['--resume', 'one', '--from', '-1h'], /--from cannot be given with --resume/],
    [['--from', '-1h', ...file, '-c', '/no/such/file'], /\/no\/such\/file: cannot be read/],
  ];
  for (const [argv, message] of wrong) {
    test(argv.join(' '), async () => {
      await assert.rejects(run(argv), (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }
});

test('what is asked for is what the options say', () => {
  const values: ReplayOptionValues = {
    topic: 'raw',
    from: '2026-01-01T00:00:00Z',
    to: '-1h',
    by: 'sample-time',
    margin: '0',
    'to-storage': 'http://vm:8428',
    route: 'http',
    match: ['{a="b"}'],
    sample: '1/100',
    rate: '500',
  };
  const nowMs = Date.UTC(2026, 0, 2);
  assert.deepEqual(askedReplay(values, nowMs), {
    id: undefined,
    topic: 'raw',
    range: { kind: 'times', fromMs: Date.UTC(2026, 0, 1), toMs: nowMs - 3_600_000, marginMs: 0 },
    selection: { match: ['{a="b"}'], sample: 100, fromMs: Date.UTC(2026, 0, 1), toMs: nowMs - 3_600_000 },
    target: { kind: 'storage', url: 'http://vm:8428/api/v1/write', route: 'http' },
    dryRun: false,
  });
  assert.deepEqual(runOptions(values), {
    rate: 500,
    concurrency: 4,
    yieldLag: undefined,
    allowGaps: false,
    onCorruptBatch: 'stop',
    listen: undefined,
  });
  const offsets = askedReplay({ offsets: ['3:7-9', '0:1-1,1:0-5'], 'to-file': '-' }, nowMs);
  assert.deepEqual(offsets.range, {
    kind: 'offsets',
    ranges: [
      { partition: 0, first: 1n, last: 1n },
      { partition: 1, first: 0n, last: 5n },
      { partition: 3, first: 7n, last: 9n },
    ],
  });
  assert.deepEqual(offsets.target, { kind: 'file', file: '-' });
});

test('a live task topic takes a replay only if that is said, and only where vmagents aggregate it', () => {
  const load = (nodes: object[]) => {
    const file = path.join(folder, 'penstock.yml');
    const routes = [{ name: 'http', task: { labels: ['service'], count: 2 } }];
    writeFileSync(file, JSON.stringify({ routes, nodes }));
    return loadConfig({ file, env: {} });
  };
  const aggregated = load([{ name: 'a', url: 'http://a:8429' }]);
  const target = (intoLive: boolean, outputTopic?: string) =>
    ({ kind: 'route', route: 'http', outputTopic, intoLive }) as const;
  const live = { kind: 'route', route: 'http', topic: 'metrics.tasks.http', live: true };
  assert.throws(
    () => targetSpec(aggregated, 'metrics.raw', target(false)),
    /counted into the windows of today/,
  );
  assert.throws(
    () => targetSpec(aggregated, 'metrics.raw', target(false, 'metrics.tasks.http')),
    /counted into the windows of today/,
    'by its name, too',
  );
  assert.deepEqual(targetSpec(aggregated, 'metrics.raw', target(true)), live);
  assert.deepEqual(targetSpec(load([]), 'metrics.raw', target(false)), live);
  assert.deepEqual(targetSpec(aggregated, 'metrics.raw', target(false, 'copy')), {
    ...live,
    topic: 'copy',
    live: false,
  });
});

test('progress reads well', () => {
  assert.deepEqual([0, 59.6, 130, 3_600, 11_100].map(formatSeconds), [
    '0s',
    '1m00s',
    '2m10s',
    '1h00m',
    '3h05m',
  ]);
  assert.deepEqual([0, 0.4326, 0.99999, 1].map(formatShare), ['0.0 %', '43.2 %', '99.9 %', '100.0 %']);
  const behind = [5, 4, 3, 2, 1].map((offsets, partition) => ({ partition, offsets }));
  const snapshot = { share: 0.5, samples: 12_345, samplesPerSecond: 999.6, secondsLeft: 75, behind };
  assert.equal(
    formatProgress(snapshot, undefined),
    '50.0 %, 12,345 samples, 1,000 samples/s, 1m15s left; behind the end 0:5 1:4 2:3 3:2 and 1 more',
  );
  assert.equal(
    formatBar({ ...snapshot, behind: [] }, 'waiting: for rain'),
    '████████████░░░░░░░░░░░░ 50.0 %  1,000 samples/s  waiting: for rain',
  );
});
