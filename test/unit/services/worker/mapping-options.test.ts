import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRIC_BATCH, TIMESTAMP_UNITS } from '../../../../src/core/decode/schema/mapping.ts';
import { mapping, topicMapping } from '../../../../src/services/worker/mapping-options.ts';
import { ingestTopics, workerOptions } from '../../../../src/services/worker/options.ts';

test('the default is the shape of the documented schemas', () => {
  assert.deepEqual(mapping.parse({}), METRIC_BATCH);
});

test('every unit that is known can be configured', () => {
  for (const timestamp_unit of TIMESTAMP_UNITS) {
    assert.equal(mapping.parse({ timestamp_unit }).timestamp_unit, timestamp_unit);
  }
});

test('a topic of its own says only what differs', () => {
  const topics = [{ topic: 'a' }, { topic: 'b', mapping: { series: '', value: 'reading' } }];
  const [a, b] = ingestTopics(workerOptions.parse({ mapping: { name: 'metric' }, topics }));
  assert.deepEqual(a?.mapping, { ...METRIC_BATCH, name: 'metric' });
  assert.deepEqual(b?.mapping, { ...METRIC_BATCH, name: 'metric', series: '', value: 'reading' });
});

test('paths and labels that mean nothing are refused, and say what was expected', () => {
  const refused: [object, RegExp][] = [
    [{ series: 'a..b' }, /"a\.\.b" is no path; expected names of fields/],
    [{ value: '' }, /the path is empty; expected the name of a field/],
    [{ label_fields: ['host'] }, /"host" cannot be read; expected name=…/],
    [{ constant_labels: ['=x'] }, /"=x" cannot be read/],
    [{ timestamp_unit: 'm' }, /./],
  ];
  for (const [value, message] of refused) {
    assert.match(String(topicMapping.safeParse(value).error?.issues[0]?.message), message);
  }
});
