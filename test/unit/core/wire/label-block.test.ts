import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import type { Label } from '../../../../src/core/model/labels.ts';
import { LabelBlock, type LabelLimits, labelBlockEnd } from '../../../../src/core/wire/label-block.ts';
import { encodeLabels } from '../../../support/plain-pipeline.ts';

const NO_LIMITS: LabelLimits = { labels_per_series: 0, label_name_bytes: 0, label_value_bytes: 0 };

function decode(hex: string, limits: Partial<LabelLimits> = {}): [string, string][] {
  const bytes = Buffer.concat([Buffer.from('ff', 'hex'), Buffer.from(hex, 'hex')]);
  const block = new LabelBlock();
  block.decode(bytes, 1, bytes.length, { ...NO_LIMITS, ...limits });
  return block.labels.map(({ name, value }) => [name, value]);
}

const of = (...labels: [string, string][]) => encodeLabels(labels.map(([name, value]) => ({ name, value })));

test('decodes what another encoder wrote', () => {
  const text = fc.oneof(fc.string({ maxLength: 200 }), fc.string({ maxLength: 20, unit: 'grapheme' }));
  const labels = fc.uniqueArray(fc.tuple(text, text), {
    minLength: 1,
    selector: ([name]) => name,
  });
  fc.assert(
    fc.property(labels, (list) => {
      const wellFormed = list.map(
        ([name, value]) => [name.toWellFormed(), value.toWellFormed()] as [string, string],
      );
      fc.pre(
        wellFormed.every(([name]) => name !== '') && new Set(wellFormed.map(([n]) => n)).size === list.length,
      );
      assert.deepEqual(decode(of(...wellFormed)), wellFormed);
    }),
  );
});

test('a byte order mark is text like any other', () => {
  assert.deepEqual(decode(of(['a', '\ufeffx'])), [['a', '\ufeffx']]);
});

test('value before name, a missing value, repeated and unknown fields', () => {
  assert.deepEqual(decode('0a06' + '120162' + '0a0161'), [['a', 'b']]);
  assert.deepEqual(decode('0a03' + '0a0161'), [['a', '']]);
  assert.deepEqual(decode('0a09' + '0a0161' + '120162' + '120163'), [['a', 'c']]);
  assert.deepEqual(decode('0a08' + '0a0161' + '1807' + '120162'), [['a', 'b']]);
});

const POISON: Record<string, [string, Partial<LabelLimits>?]> = {
  no_labels: [''],
  empty_label_name: [of(['a', 'b'], ['', 'c'])],
  duplicate_label: [of(['a', 'b'], ['a', 'b'])],
  invalid_utf8: ['0a07' + '0a0161' + '1202c328'],
  too_many_labels: [of(['a', '1'], ['b', '2'], ['c', '3']), { labels_per_series: 2 }],
  label_name_too_long: [of(['abcd', '1']), { label_name_bytes: 3 }],
  label_value_too_long: [of(['a', 'é'.repeat(3)]), { label_value_bytes: 5 }],
  protobuf: ['0a05' + '0a0161' + '1205'],
};

for (const [reason, [hex, limits]] of Object.entries(POISON)) {
  test(`poison: ${reason}`, () => {
    assert.throws(
      () => decode(hex, limits),
      (error) => error instanceof PoisonError && error.stage === 'decode' && error.reason === reason,
    );
  });
}

test('duplicates are found in unsorted labels too; limits let pass what just fits', () => {
  assert.throws(() => decode(of(['b', '1'], ['a', '2'], ['b', '3'])), /"b" is there more than once/);
  assert.throws(() => decode(of(['c', '1'], ['b', '2'], ['b', '3'])), /"b" is there more than once/);
  assert.deepEqual(
    decode(of(['abc', 'é']), { labels_per_series: 1, label_name_bytes: 3, label_value_bytes: 2 }),
    [['abc', 'é']],
  );
});

test('find offers only labels whose bytes may be used again', () => {
  const bytes = Buffer.from(`${of(['a', 'x'.repeat(300)])}0a061201310a0162${of(['c', ''])}`, 'hex');
  const block = new LabelBlock();
  block.decode(bytes, 0, bytes.length, NO_LIMITS);
  const [a, b, c] = block.labels as [Label, Label, Label];
  assert.equal(block.find(a), 0);
  assert.equal(bytes.toString('hex', block.fieldStart(0), block.fieldEnd(0)), of(['a', 'x'.repeat(300)]));
  assert.equal(block.find(b), -1);
  assert.equal(block.find(c), 2);
  assert.equal(bytes.toString('hex', block.fieldStart(2), block.fieldEnd(2)), of(['c', '']));
  assert.equal(block.find({ ...c }), -1, 'an equal label that did not come with the series');
});

test('a series of more labels than there is room for at first', () => {
  const labels = Array.from({ length: 300 }, (_, n): [string, string] => [`l${n}`, `${n}`]);
  const bytes = Buffer.from(of(...labels), 'hex');
  const block = new LabelBlock();
  for (let round = 0; round < 2; round++) {
    block.decode(bytes, 0, bytes.length, NO_LIMITS);
    assert.deepEqual(
      block.labels.map(({ name, value }) => [name, value]),
      labels,
    );
    const last = block.find(block.labels[299]!);
    assert.equal(bytes.toString('hex', block.fieldStart(last), block.fieldEnd(last)), of(['l299', '299']));
  }
});

/** A length-delimited field of up to 16 KiB. */
function field(tag: number, bytes: Buffer): Buffer {
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}

test('decoding after another series gives what a fresh instance gives', () => {
  const part = fc.constantFrom('a', 'b', 'ab', 'x'.repeat(130), 'é', '\u00e9'.normalize('NFD'), '');
  const name = fc.constantFrom('a', 'b', 'c', 'é', 'zz');
  const list = fc.uniqueArray(fc.tuple(name, part, fc.nat(9)), { minLength: 1, selector: ([each]) => each });
  /** At times in another form: value first, or a name whose byte is not UTF-8. */
  const encode = ([name, value, shape]: [string, string, number]) => {
    const parts = [
      field(0x0a, shape === 1 ? Buffer.from([0xe9]) : Buffer.from(name)),
      field(0x12, Buffer.from(value)),
    ];
    return field(0x0a, Buffer.concat(shape === 0 ? parts.reverse() : parts));
  };
  const reused = new LabelBlock();
  const outcome = (block: LabelBlock, bytes: Buffer) => {
    try {
      block.decode(bytes, 1, bytes.length, NO_LIMITS);
    } catch (error) {
      assert.ok(error instanceof PoisonError);
      return error.reason;
    }
    return block.labels.map((label, i) => [label, block.fieldStart(i), block.fieldEnd(i), block.find(label)]);
  };
  let shared = 0;
  fc.assert(
    fc.property(fc.array(list, { minLength: 2, maxLength: 8, size: 'max' }), (seriesList) => {
      for (const labels of seriesList) {
        const bytes = Buffer.concat([Buffer.from([0]), ...labels.map(encode)]);
        const before = new Set(reused.labels);
        assert.deepEqual(outcome(reused, bytes), outcome(new LabelBlock(), bytes));
        for (const label of reused.labels) if (before.has(label)) shared++;
      }
    }),
    { numRuns: 1500 },
  );
  assert.ok(shared > 100, `${shared} labels shared`);
});

test('the label block ends before the first other field', () => {
  const labels = of(['a', 'b'], ['c', 'x'.repeat(200)]);
  const bytes = Buffer.from(`${labels}12021001${of(['d', 'e'])}`, 'hex');
  assert.equal(labelBlockEnd(bytes, 0, bytes.length), labels.length / 2);
  assert.equal(labelBlockEnd(bytes, 0, labels.length / 2), labels.length / 2);
  for (const end of [1, 3, 8, 9, 10, 11, 100]) {
    if (end === 8) continue;
    assert.throws(() => labelBlockEnd(bytes, 0, end), /truncated/, `end ${end}`);
  }
});
