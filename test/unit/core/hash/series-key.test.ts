import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { groupLabelNames, SeriesKey } from '../../../../src/core/hash/series-key.ts';
import { type Labels, labelsFrom } from '../../../../src/core/model/labels.ts';
import { labelSet } from './label-sets.ts';

function seriesKey(labels: Labels, key = new SeriesKey()): Buffer {
  key.writeSeries(labels);
  return Buffer.from(key.bytes.slice(0, key.length));
}

function groupKey(names: readonly string[], labels: Labels): Buffer {
  const key = new SeriesKey();
  key.writeGroup(groupLabelNames(names), labels);
  return Buffer.from(key.bytes.slice(0, key.length));
}

test('name, 0xFF, value, 0xFF for each label, sorted by the bytes of the name', () => {
  const labels = labelsFrom({ b: '2', '\u{10000}': 'x', '\u{ffff}': 'é', a: '' });
  const expected = ['a', '', 'b', '2', '\u{ffff}', 'é', '\u{10000}', 'x'];
  assert.deepEqual(
    seriesKey(labels),
    Buffer.concat(expected.map((text) => Buffer.concat([Buffer.from(text), Buffer.of(0xff)]))),
  );
});

test('the order of the labels does not matter, and two label sets never share a key', () => {
  const key = new SeriesKey();
  fc.assert(
    fc.property(labelSet, labelSet, (a, b) => {
      assert.deepEqual(seriesKey(a, key), seriesKey(a.toReversed(), key));
      const sorted = (labels: Labels) => JSON.stringify(Object.entries(asObject(labels)).sort());
      assert.equal(seriesKey(a, key).equals(seriesKey(b, key)), sorted(a) === sorted(b));
    }),
  );
});

test('the identity of a series is the key of its labels that have values', () => {
  const key = new SeriesKey();
  fc.assert(
    fc.property(labelSet, (labels) => {
      key.writeIdentity(labels);
      const identity = Buffer.from(key.bytes.slice(0, key.length));
      assert.deepEqual(identity, seriesKey(labels.filter(({ value }) => value !== '')));
    }),
  );
});

test('a group is its labels in any order; an absent one counts as empty', () => {
  const labels = labelsFrom({ service: 'cart', pod: 'cart-1' });
  assert.deepEqual(
    groupKey(['service', 'namespace'], labels),
    Buffer.from('namespace\xff\xffservice\xffcart\xff', 'latin1'),
  );
  assert.deepEqual(
    groupKey(['service', 'namespace', 'service'], labels),
    groupKey(['namespace', 'service'], labelsFrom({ namespace: '', service: 'cart' })),
  );
  assert.equal(groupKey([], labels).length, 0);
});

test('long values grow the buffer, and a short key after them is right', () => {
  const key = new SeriesKey();
  for (const value of ['x'.repeat(100_000), '日'.repeat(5000), `${'a'.repeat(300)}é`, 'short']) {
    assert.deepEqual(
      seriesKey([{ name: 'n', value }], key),
      Buffer.concat([Buffer.from('n'), Buffer.of(0xff), Buffer.from(value), Buffer.of(0xff)]),
    );
  }
});

function asObject(labels: Labels): Record<string, string> {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]));
}
