import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targetLines } from '../../../bench/targets.ts';

test('a target is told once its cases were run, met or missed', () => {
  const warm = { name: 'worker warm, 1 partition', cpuMicrosPerSample: 0.5 };
  const million = { name: 'worker warm, 1,000,000 series', cpuMicrosPerSample: 0.7, peakMib: 860 };
  assert.deepEqual(targetLines([warm]), [
    'target met: worker, warm, exactly once: 0.500 µs a sample, at most 1',
  ]);
  assert.deepEqual(targetLines([warm, million]).slice(1), [
    'target MISSED: worker, 1,000,000 series: cost of 100,000: 1.400 times, at most 1.3',
    'target MISSED: worker, 1,000,000 series: memory: 902 MB, at most 900',
  ]);
  const two = { name: 'worker, two processes held back', speedUp: 1.85 };
  assert.deepEqual(targetLines([two]), ['target met: worker, two processes: 1.850 times one, at least 1.8']);
  const latency = { name: 'latency at 50 % load', latencyMs: { p50: 1, p99: 501, max: 900 } };
  assert.match(targetLines([latency])[0]!, /^target MISSED: produced to accepted.* 501 ms, at most 500$/);
});
