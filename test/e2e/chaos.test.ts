import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChaos } from '../chaos/chaos.ts';
import { report } from '../chaos/report.ts';

/** The short form of `npm run chaos`; docs/reliability.md has the long runs. */
const MINUTES = 3;
const SEED = 1;

test('whatever dies, every sample is exactly once in the task topics, in order, and in storage', async (t) => {
  const result = await runChaos({
    seed: SEED,
    durationMs: MINUTES * 60_000,
    say: (line) => t.diagnostic(line),
  });
  t.diagnostic(report(result));
  assert.deepEqual(result.problems, []);
  assert.deepEqual(result.missed, [], 'these faults met nothing: the run proves nothing about them');
});
