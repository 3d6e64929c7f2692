import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './check.ts';
import { FUZZ_TARGETS } from './targets.ts';

const RUNS = 2000;
/** The same inputs in each run of the tests; `npm run fuzz` draws others each time. */
const SEED = 20261122;

for (const target of FUZZ_TARGETS) {
  test(`${target.name} returns or throws its own error`, () => {
    const { refused, rejected } = fuzz(target, { runs: RUNS, seed: SEED });
    // Were all inputs refused, or none, the fuzzing would look at one half of the decoder only.
    assert.ok(refused + rejected > RUNS / 20, `${refused} refused, ${rejected} with rejects`);
    assert.ok(refused < RUNS, 'nothing was ever taken');
    assert.ok(rejected > 0, 'no part was ever set aside');
  });
}
