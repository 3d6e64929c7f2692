import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelsFrom } from '../../../../src/core/model/labels.ts';
import { explainMismatch } from '../../../../src/core/route/explanation.ts';

const labels = labelsFrom({ __name__: 'up', job: 'node', path: 'a"\\b' });

function why(selector: string): string[] {
  return explainMismatch(selector, labels);
}

test('names the filters that do not hold and what the series has', () => {
  assert.deepEqual(why('up{job="cart",zone=~"eu-.*",path!="x"}'), [
    'job="cart" does not hold: job is "node"; zone=~"eu-.*" does not hold: the series has no zone',
  ]);
  assert.deepEqual(why('down'), ['__name__="down" does not hold: __name__ is "up"']);
});

test('one line for each group of an or', () => {
  assert.deepEqual(why('{job="a" or job!~"n.*"}'), [
    'job="a" does not hold: job is "node"',
    'job!~"n.*" does not hold: job is "node"',
  ]);
  assert.deepEqual(why('{}'), ['{} matches nothing']);
});

test('values and names keep their meaning when a filter is tried alone', () => {
  assert.deepEqual(why('{path="a\\"\\\\b",job="x"}'), ['job="x" does not hold: job is "node"']);
  assert.deepEqual(why('{"a-b"="1",job="node"}'), ['a-b="1" does not hold: the series has no a-b']);
  assert.deepEqual(why('{job=~"no\\\\w+",path="y\\n"}'), ['path="y\\n" does not hold: path is "a\\"\\\\b"']);
});

test('a label name with quotes or backslashes is written so that it is read again', () => {
  assert.deepEqual(why('{"a\\"b\\\\"="x"}'), ['a"b\\="x" does not hold: the series has no a"b\\']);
});
