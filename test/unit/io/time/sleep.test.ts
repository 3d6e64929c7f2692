import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Backoff, sleep } from '../../../../src/io/time/sleep.ts';

describe('Backoff', () => {
  test('doubles up to its maximum, and begins again after a reset', () => {
    const backoff = new Backoff(100, 1000, () => 1);
    assert.deepEqual(
      Array.from({ length: 6 }, () => backoff.next()),
      [100, 200, 400, 800, 1000, 1000],
    );
    backoff.reset();
    assert.equal(backoff.next(), 100);
  });

  test('draws from the upper half of the range, however often it is asked', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.float({ min: 0, max: 1, noNaN: true }),
        fc.nat(2000),
        (min, max, random, attempts) => {
          const backoff = new Backoff(min, max, () => random);
          let ceiling = Math.min(min, max);
          for (let attempt = 0; attempt < attempts; attempt++) {
            const pause = backoff.next();
            assert.ok(pause >= ceiling / 2 && pause <= ceiling);
            ceiling = Math.min(max, ceiling * 2);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('sleep', () => {
  test('ends at once when its signal aborts, and leaves no listener', async () => {
    const abort = new AbortController();
    const hour = sleep(3_600_000, abort.signal);
    abort.abort();
    await hour;
    await sleep(3_600_000, abort.signal);
  });

  test('ends by itself', async () => {
    await sleep(1, new AbortController().signal);
    await sleep(1);
  });
});
