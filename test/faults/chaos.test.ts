import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChaos } from '../chaos/chaos.ts';
import { report } from '../chaos/report.ts';

/** The short form of `npm run chaos`; docs/internals/proof.md describes the long ones. Each kind of fault comes once or twice. */
const SECONDS = 90;
/** A fault whose target is away already meets nothing. */
const MAY_MISS = 3;
const SEED = 1;

test('whatever dies, every sample is exactly once in the task topics, in order, and in storage', async (t) => {
  const result = await runChaos({
    seed: SEED,
    durationMs: SECONDS * 1000,
    say: (line) => t.diagnostic(line),
  });
  t.diagnostic(report(result));
  assert.deepEqual(result.problems, []);
  const missed = `these faults met nothing: ${result.missed.join(', ')}`;
  assert.ok(result.missed.length <= MAY_MISS, missed);
});
