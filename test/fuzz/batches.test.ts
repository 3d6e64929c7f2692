import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzBatches } from './batch-target.ts';

const RUNS = 200;
/** The same inputs in each run of the tests; `npm run fuzz` draws others each time. */
const SEED = 20261130;

test('record sets of any bytes are read or refused, in order and in bounded time and memory', async () => {
  const { read, faults } = await fuzzBatches({ runs: RUNS, seed: SEED });
  assert.ok(read > RUNS, `${read} records were read`);
  assert.ok(faults > RUNS / 10, `${faults} batches could not be read`);
});
