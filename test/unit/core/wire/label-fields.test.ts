import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LabelFields } from '../../../../src/core/wire/label-fields.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.nat({ max: 40_000 }).map((length) => 'x'.repeat(length)),
);
const labels = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 12 });
const time = fc.oneof(fc.integer(), fc.maxSafeNat(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

/** The plain twin: labels as strings, one call a part. */
function plain(pairs: readonly (readonly [string, string])[], value: number, at: number | bigint): Buffer {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  for (const [name, each] of pairs) builder.label(name, each);
  builder.sample(value, at);
  builder.endSeries();
  return builder.finish();
}

function fieldsOf(pairs: readonly (readonly [string, string])[]): LabelFields {
  const fields = new LabelFields();
  for (const [name, value] of pairs) fields.add(Buffer.from(name), Buffer.from(value));
  return fields;
}

test('a series of label fields is the series of labels', () => {
  const builder = new WriteRequestBuilder();
  fc.assert(
    fc.property(labels, labels, fc.double(), time, (first, second, value, at) => {
      const expected = plain([...first, ...second], value, at);
      builder.sampleSeries(fieldsOf(first), fieldsOf(second), value, at);
      assert.equal(builder.series, 1);
      assert.deepEqual(builder.finish(), expected);

      builder.beginSeries();
      const joined = fieldsOf(first);
      joined.append(fieldsOf(second));
      builder.labelFields(joined);
      builder.sample(value, at);
      builder.endSeries();
      assert.deepEqual(builder.finish(), expected);
    }),
  );
});

test('a label is a range of bytes', () => {
  const fields = new LabelFields();
  const bytes = Buffer.from('xx-job=cart-xx');
  fields.label(bytes, 3, 6, bytes, 7, 11);
  assert.deepEqual(Buffer.from(fields.bytes.subarray(0, fields.length)), fieldBytes('job', 'cart'));
  fields.clear();
  assert.equal(fields.length, 0);
});

function fieldBytes(name: string, value: string): Buffer {
  const fields = fieldsOf([[name, value]]);
  return Buffer.from(fields.bytes.subarray(0, fields.length));
}

test('a builder that was reset is empty, also in the middle of a series and after a large record', () => {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('a', 'x'.repeat(5_000_000));
  builder.reset();
  const fields = fieldsOf([['a', 'b']]);
  builder.sampleSeries(fields, new LabelFields(), 1, 2);
  assert.deepEqual(builder.finish(), plain([['a', 'b']], 1, 2));
});
