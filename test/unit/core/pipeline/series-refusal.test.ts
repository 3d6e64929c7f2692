import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelsFrom } from '../../../../src/core/model/labels.ts';
import { seriesRefusal } from '../../../../src/core/pipeline/series-refusal.ts';

const LIMITS = { labels_per_series: 2, label_name_bytes: 8, label_value_bytes: 4 };

function refusal(labels: Record<string, string>): string | undefined {
  return seriesRefusal(labelsFrom(labels), LIMITS);
}

test('a series within the limits is taken', () => {
  assert.equal(refusal({ __name__: 'up', job: 'a' }), undefined);
  assert.equal(refusal({ a: 'ü'.repeat(2) }), undefined);
});

test('what a worker refuses is told with its reason', () => {
  assert.match(refusal({ a: '1', b: '2', c: '3' })!, /3 labels, more than the limit of 2/);
  assert.match(refusal({ a: 'ü'.repeat(3) })!, /label_value_bytes/);
  assert.match(refusal({ a_long_name: '1' })!, /label_name_bytes/);
  assert.match(refusal({ '': '1' })!, /name/);
});
