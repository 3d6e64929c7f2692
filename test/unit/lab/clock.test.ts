import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOUR_MS, TestClock } from '../../lab/clock.ts';

test('the true time is known of what a process wrote down while its clock was off', (t) => {
  const START_MS = 1_760_000_000_000;
  t.mock.timers.enable({ apis: ['Date'], now: START_MS });
  const clock = new TestClock();
  const at = (seconds: number) => START_MS + seconds * 1_000;
  for (const [seconds, offsetMs] of [
    [10, HOUR_MS],
    [20, 0],
    [30, -HOUR_MS],
    [40, 0],
  ] as const) {
    t.mock.timers.setTime(at(seconds));
    clock.set(offsetMs);
  }
  t.mock.timers.setTime(at(50));
  for (const [seconds, offsetMs] of [
    [5, 0],
    [15, HOUR_MS],
    [20.05, HOUR_MS], // the process has not yet seen the step
    [25, 0],
    [35, -HOUR_MS],
    [45, 0],
  ] as const) {
    assert.equal(clock.trueMs(at(seconds) + offsetMs), at(seconds));
  }
});
