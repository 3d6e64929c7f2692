import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { KEPT_VECTORS, SHARED_VECTORS } from '../support/vectors.ts';
import { formatResults, formatsIn, runCases, runFolder } from './run.ts';

for (const format of formatsIn(KEPT_VECTORS)) {
  test(`kept vectors: ${format}`, async () => {
    const results = await runFolder(KEPT_VECTORS, format);
    assert.ok(
      results.every((result) => result.outcome !== undefined),
      formatResults(results),
    );
    assert.ok(
      results.every((result) => result.outcome?.failures.length === 0),
      formatResults(results),
    );
  });
}

for (const format of existsSync(SHARED_VECTORS) ? formatsIn(SHARED_VECTORS) : []) {
  test(`shared vectors: ${format}`, async (t) => {
    const results = await runFolder(SHARED_VECTORS, format);
    t.diagnostic(formatResults(results));
    if (results.every((result) => result.outcome === undefined)) return t.skip('no runner yet');
    assert.ok(
      results.every((result) => !result.outcome?.failures.length),
      formatResults(results),
    );
  });
}

test('a kind of difference is known by its body, and only where a case differs', () => {
  const payload = (id: string, payload_utf8: string) => ({ id, payload_utf8 });
  const cases = [payload('quirk', 'a # b'), payload('fine', 'c # d'), payload('broken', 'e')];
  const run = (testCase: unknown) => ((testCase as { id: string }).id === 'fine' ? undefined : 'differs');
  const outcome = runCases({ format: 'x', cases }, run, { 'x/*': { payload: '#', reason: 'on purpose' } });
  assert.equal(outcome.passed, 1);
  assert.deepEqual(outcome.known, [{ id: 'quirk', reason: 'on purpose' }]);
  assert.deepEqual(
    outcome.failures.map(({ id }) => id),
    ['broken'],
  );
});

test('a known difference is never counted as passed', () => {
  const file = { format: 'x', cases: [{ id: 'same' }, { id: 'other' }, { id: 'known' }, { id: 'gone' }] };
  const run = (testCase: unknown) => {
    const { id } = testCase as { id: string };
    if (id === 'other') throw new Error('broken');
    return id === 'known' ? 'differs' : undefined;
  };
  const outcome = runCases(file, run, {
    'x/known': 'on purpose',
    'x/gone': 'was on purpose',
    'y/same': 'not here',
  });
  assert.equal(outcome.passed, 1);
  assert.deepEqual(
    outcome.failures.map((failure) => failure.id),
    ['other', 'gone'],
  );
  assert.deepEqual(outcome.known, [{ id: 'known', reason: 'on purpose' }]);
  const report = formatResults([
    { name: 'x.json', format: 'x', cases: 4, outcome },
    { name: 'z.json', format: 'z', cases: 3, outcome: undefined },
  ]);
  assert.match(report, /^x\.json: 1 passed, 2 failed, 1 known differences$/m);
  assert.match(report, /^ {2}other: threw broken$/m);
  assert.match(report, /^ {2}known difference known: on purpose$/m);
  assert.match(report, /^z\.json: no runner yet for format z, 3 cases not run$/m);
  assert.match(report, /^total: 1 passed, 2 failed, 1 known differences, 3 not run$/m);
});
