import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChaos } from '../chaos/chaos.ts';
import { FAULT_KINDS } from '../chaos/plan.ts';
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
  const happened = new Set<string>(result.done.map(({ kind }) => kind));
  // Brokers wait for one another to be in sync: on a slow machine few of their faults fit in.
  const broker = [...happened].some((kind) => kind.startsWith('broker'));
  const missing = FAULT_KINDS.filter((kind) => !kind.startsWith('broker') && !happened.has(kind));
  assert.ok(broker, 'no broker went down: this run proves nothing about it');
  assert.deepEqual(missing, [], 'these faults did not happen: the run proves nothing about them');
});
