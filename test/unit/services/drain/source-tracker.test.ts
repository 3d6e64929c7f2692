import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SourceTracker } from '../../../../src/services/drain/source-tracker.ts';

/** What a tracker says of each record; a record is `source` or `source part`. */
function faults(records: readonly string[]): string[] {
  const tracker = new SourceTracker();
  return records.map((record) => {
    const [source, part] = record.split(' ');
    return tracker.next({ 'penstock-source': source, 'penstock-part': part }).join();
  });
}

test('steps that ascend are in order, also with gaps and several sources', () => {
  assert.deepEqual(faults(['raw/0/5-9', 'raw/1/0-3', 'raw/0/10-10', 'raw/0/40-50', 'raw/1/4-9']), [
    '',
    '',
    '',
    '',
    '',
  ]);
});

test('the same step again, and one that overlaps, are repeats', () => {
  assert.deepEqual(faults(['raw/0/5-9', 'raw/0/5-9', 'raw/0/8-12', 'raw/0/10-12']), [
    '',
    'repeated',
    'repeated',
    '',
  ]);
});

test('the parts of a step are no repeats; a part again is one', () => {
  assert.deepEqual(
    faults(['raw/0/5-9 1/3', 'raw/0/5-9 2/3', 'raw/0/5-9 2/3', 'raw/0/5-9 3/3', 'raw/0/10-11']),
    ['', '', 'repeated', '', ''],
  );
});

test('a part that is not there is missed, at the end of a step, within and at the start', () => {
  assert.deepEqual(faults(['raw/0/1-2 1/2', 'raw/0/3-4']), ['', 'missing']);
  assert.deepEqual(faults(['raw/0/1-2 1/3', 'raw/0/1-2 3/3']), ['', 'missing']);
  assert.deepEqual(faults(['raw/0/1-2', 'raw/0/3-4 2/2']), ['', 'missing']);
});

test('records of other writers, and what came before the first, are no fault', () => {
  assert.deepEqual(faults(['', 'nonsense', 'raw/0/7-9 2/2', 'raw/0/10-11']), ['', '', '', '']);
});

test('a replay goes through a source again beside the worker, and is followed by itself', () => {
  const tracker = new SourceTracker();
  const next = (source: string, replay?: string) =>
    tracker.next({
      'penstock-source': source,
      ...(replay === undefined ? {} : { 'penstock-replay': replay }),
    });
  assert.deepEqual(next('raw/0/50-59'), []);
  assert.deepEqual(next('raw/0/1-9', 'one'), []);
  assert.deepEqual(next('raw/0/60-69'), []);
  assert.deepEqual(next('raw/0/10-19', 'one'), []);
  assert.deepEqual(next('raw/0/10-19', 'one'), ['repeated']);
  assert.deepEqual(next('raw/0/1-9', 'two'), []);
});
