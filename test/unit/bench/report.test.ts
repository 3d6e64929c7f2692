import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markdown, table } from '../../../bench/report.ts';

const worker = {
  name: 'worker',
  series: 1_000,
  cpuMicrosPerSample: 0.9,
  samplesPerSecond: 1e6,
  peakMib: 300,
};
const latency = { name: 'latency', latencyMs: { p50: 200, p99: 330, max: 400 }, note: 'cores used: 0.1' };

test('each case is compared by its main figure with the case of its name', () => {
  const before = [
    { name: 'latency', latencyMs: { p50: 100, p99: 300, max: 300 } },
    { name: 'worker', cpuMicrosPerSample: 1, peakMib: 200 },
    { name: 'full load', samplesPerSecond: 2e6 },
  ];
  const [head, ...lines] = table(
    [worker, latency, { name: 'new', cpuMicrosPerSample: 2 }, { name: 'full load', samplesPerSecond: 1e6 }],
    before,
  ).split('\n');
  assert.match(head!, /P99 ms +BEFORE +CHANGE +OF PEAK$/);
  assert.match(lines[0]!, /^worker +1,000 .* 0\.900 +1,000,000 .* 1\.000 +-10 % +50 %$/);
  assert.match(lines[1]!, /^latency .* 200 +330 +300 +10 % +-$/);
  assert.match(lines[2]!, /^new .* 2\.000 .* - +- +-$/);
  assert.match(lines[3]!, /^full load .* 2000000 +-50 % +-$/);
  assert.deepEqual(lines.slice(4), ['', 'latency: cores used: 0.1']);
});

test('without an older run there is nothing to compare', () => {
  assert.doesNotMatch(table([worker], undefined), /BEFORE/);
});

test('the table for the README has a row a case, and the notes', () => {
  const rows = markdown([worker, latency]).split('\n');
  assert.equal(rows.length, 6);
  assert.deepEqual(rows.slice(4), ['', '- latency: cores used: 0.1']);
  assert.equal(rows[2], '| worker | 1,000 | - | 0.900 | 1,000,000 | 300 | - | - | - |');
});
