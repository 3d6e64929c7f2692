import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { SeriesMapper } from '../../../../../src/core/decode/schema/mapped-series.ts';
import { type MappingOptions, METRIC_BATCH } from '../../../../../src/core/decode/schema/mapping.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

const NOW = 1_700_000_000_000;
const context = { headers: {}, timestamp: NOW, limits: DEFAULT_LIMITS };

function map(value: unknown, mapping: Partial<MappingOptions> = {}) {
  const mapper = new SeriesMapper({ ...METRIC_BATCH, ...mapping });
  const { body, rejects } = mapper.map(value, 10_000, context);
  const series = decodeWriteRequest(body).series.map(({ labels, samples }) => ({
    labels: Object.fromEntries(labels),
    samples: samples.map(({ timestamp, bits }) => [Number(timestamp), double(bits)]),
  }));
  return { series, rejects };
}

/** A record that is one sample. */
const FLAT: Partial<MappingOptions> = { series: '', name: 'name', samples: '' };

test('a batch of series with their samples', () => {
  const labels = { __name__: 'up', job: 'api', empty: '' };
  const samples = [
    { timestamp: NOW, value: 1 },
    { timestamp: NOW + 1000, value: 'NaN' },
  ];
  const { series, rejects } = map({ series: [{ labels, samples }], more: 1 });
  assert.deepEqual(rejects, []);
  assert.deepEqual(series, [
    {
      labels: { __name__: 'up', job: 'api' },
      samples: [
        [NOW, 1],
        [NOW + 1000, Number.NaN],
      ],
    },
  ]);
});

test('a record that is a list, where none is named, is the list of series', () => {
  const one = { name: 'up', labels: {}, value: 1 };
  const { series, rejects } = map([one, { ...one, name: 'down' }, 5], { ...FLAT, timestamp: '' });
  assert.deepEqual(
    series.map(({ labels }) => labels),
    [{ __name__: 'up' }, { __name__: 'down' }],
  );
  assert.equal(rejects.length, 1);
});

test('fields of other names, at any depth', () => {
  const record = {
    payload: {
      points: [
        {
          metric: { id: 'cpu' },
          tags: [
            { k: 'host', v: 'a' },
            { k: 'core', v: 3 },
          ],
          meta: { dc: 'x', rack: null },
          at: '2026-01-31T12:00:00Z',
          reading: { number: 2.5 },
        },
      ],
    },
  };
  const { series, rejects } = map(record, {
    series: 'payload.points',
    name: 'metric.id',
    labels: 'tags',
    label_name: 'k',
    label_value: 'v',
    label_fields: ['dc=meta.dc', 'rack=meta.rack', 'none=meta.none'],
    constant_labels: ['team=a=b', 'host=always'],
    samples: '',
    value: 'reading.number',
    timestamp: 'at',
    timestamp_unit: 'rfc3339',
  });
  assert.deepEqual(rejects, []);
  const labels = { __name__: 'cpu', host: 'always', core: '3', dc: 'x', team: 'a=b' };
  assert.deepEqual(series, [{ labels, samples: [[Date.UTC(2026, 0, 31, 12), 2.5]] }]);
});

test('a record that is one sample, at the time of the record', () => {
  const { series } = map({ name: 'up', labels: { a: 'b' }, value: 1 }, { ...FLAT, timestamp: '' });
  assert.deepEqual(series, [{ labels: { __name__: 'up', a: 'b' }, samples: [[NOW, 1]] }]);
});

test('the name is that of its path, else the label', () => {
  const flat = { ...FLAT, timestamp: '' };
  const both = map({ name: 'x', labels: { __name__: 'y' }, value: 1 }, flat);
  assert.equal(both.series[0]?.labels['__name__'], 'x');
  const label = map({ name: null, labels: { __name__: 'y' }, value: 1 }, flat);
  assert.equal(label.series[0]?.labels['__name__'], 'y');
});

const sample = { timestamp: NOW, value: 1 };
const FAULTS: [string, unknown, RegExp][] = [
  ['no object', 5, /expected an object, found 5/],
  ['no labels', { samples: [sample] }, /labels is missing/],
  ['labels of another kind', { labels: 'a', samples: [sample] }, /neither an object nor a list, but "a"/],
  ['no metric name', { labels: { a: 'b' }, samples: [sample] }, /no metric name/],
  [
    'a label that is an object',
    { labels: { __name__: 'x', a: {} }, samples: [sample] },
    /label "a" is no text/,
  ],
  ['a label without name', { labels: { __name__: 'x', '': 'b' }, samples: [sample] }, /has no name/],
  [
    'a label twice',
    {
      labels: [
        { name: 'a', value: 1 },
        { name: 'a', value: 2 },
      ],
      samples: [sample],
    },
    /"a" twice/,
  ],
  [
    'a list item that is no label',
    { labels: [{ nam: 'a' }], samples: [sample] },
    /labels\[0\].name is no text/,
  ],
  ['no samples', { labels: { __name__: 'x' } }, /samples is no list of samples, but missing/],
  ['an empty list of samples', { labels: { __name__: 'x' }, samples: [] }, /has no samples/],
  [
    'a missing value',
    { labels: { __name__: 'x' }, samples: [sample, { timestamp: 1 }] },
    /sample 1: value is no number, but missing/,
  ],
  [
    'a missing time',
    { labels: { __name__: 'x' }, samples: [{ value: 1 }] },
    /sample 0: timestamp is no time in ms, but missing/,
  ],
];
for (const [what, element, message] of FAULTS) {
  test(`${what}: the series is set aside alone`, () => {
    const good = { labels: { __name__: 'good' }, samples: [sample] };
    const { series, rejects } = map({ series: [good, element, good] });
    assert.equal(series.length, 2);
    assert.equal(rejects.length, 1);
    assert.match(rejects[0]!.message, message);
    assert.match(rejects[0]!.message, /^series 1: /);
    assert.equal(rejects[0]!.reason, 'mapping');
    assert.deepEqual(JSON.parse(String(rejects[0]!.value)), element);
  });
}

const poison = (reason: string) => (error: unknown) =>
  error instanceof PoisonError && error.stage === 'decode' && error.reason === reason;

test('a record without the list of series is poison', () => {
  for (const value of [{}, { series: {} }, null, 'x', []]) {
    assert.throws(() => map(value), poison('mapping'));
  }
});

test('more bad series than are told one by one are one list', () => {
  const { rejects } = map({ series: Array.from({ length: 105 }, () => 1) });
  assert.equal(rejects.length, 101);
  assert.deepEqual(JSON.parse(String(rejects.at(-1)!.value)), [1, 1, 1, 1, 1]);
});

test('what a series becomes is bounded', () => {
  const mapping = { ...FLAT, series: 'l', constant_labels: [`x=${'y'.repeat(60_000)}`], timestamp: '' };
  const l = Array.from({ length: 100 }, () => ({ name: 'a', labels: null, value: 1 }));
  assert.throws(() => map({ l }, mapping), poison('record_too_large'));
});

test('any value is mapped, set aside or poison', () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withTypedArray: true }), fc.boolean(), (value, flat) => {
      try {
        map(flat ? value : { series: [value, { labels: value, samples: [value] }] }, flat ? FLAT : {});
      } catch (error) {
        assert.ok(error instanceof PoisonError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

function double(bits: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes.readDoubleLE();
}

test('series that cannot be used are not written down without end', () => {
  const bad = { text: 'x'.repeat(1024 * 1024) };
  assert.equal(map({ series: Array(20).fill(bad) }).rejects.length, 20);
  assert.throws(
    () => map({ series: Array(40).fill(bad) }),
    (error) => error instanceof PoisonError && error.reason === 'too_many_faults',
  );
});
