import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import { labelBlockEnd } from '../../../../src/core/wire/label-block.ts';
import { labelsFirst, splitTail } from '../../../../src/core/wire/labels-first.ts';
import { readFields, readTail, SeriesTail } from '../../../../src/core/wire/series-tail.ts';
import { SeriesWalk, seriesOf } from '../../../../src/core/wire/series-walk.ts';
import { readFraming } from '../../../../src/core/wire/write-request.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';
import { decodeTimeSeries, decodeWriteRequest } from '../../../lab/truth/prompb.ts';

const isPoison = (error: unknown) => error instanceof PoisonError && error.reason === 'protobuf';
const bytes = (hex: string) => Buffer.from(hex, 'hex');

test('framing counts what a request consists of', () => {
  assert.deepEqual(readFraming(bytes('')), { series: 0, metadata: 0, unknown: 0 });
  assert.deepEqual(readFraming(bytes('0a00' + '1a00' + '0a01ff' + '7801' + '4b4c')), {
    series: 2,
    metadata: 1,
    unknown: 2,
  });
});

test('framing of series of every length of length', () => {
  for (const size of [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const builder = new WriteRequestBuilder();
    builder.rawSeries(Buffer.alloc(size));
    builder.rawSeries(Buffer.alloc(1));
    const body = builder.finish();
    assert.deepEqual(readFraming(body), { series: 2, metadata: 0, unknown: 0 });
    for (const cut of [1, 2]) assert.throws(() => readFraming(body.subarray(0, body.length - cut)), isPoison);
  }
});

for (const hex of ['0a', '0a80', '0a01', '0a8001', '08', '0801', '1801', '02', '00', '0effff']) {
  test(`broken framing: ${hex}`, () => assert.throws(() => readFraming(bytes(hex)), isPoison));
}

const time = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 45 }),
  fc.constantFrom(0, 127, 2 ** 35 - 1, 2 ** 35, 2 ** 42 - 1, 2 ** 42),
);
const tail = fc
  .array(fc.tuple(fc.double(), time, fc.integer({ min: 0, max: 9 })), { maxLength: 5 })
  .map((samples) => {
    const builder = new WriteRequestBuilder();
    builder.beginSeries();
    for (const [value, timestampMs, shape] of samples) {
      if (shape === 0) builder.field(2, Buffer.concat([Buffer.from([0x10]), varint(timestampMs)]));
      else builder.sample(value, timestampMs);
    }
    builder.endSeries();
    const body = builder.finish();
    return body.subarray(body.length - lengthOfOnly(body));
  });

function lengthOfOnly(body: Buffer): number {
  let length = 0;
  let i = 1;
  for (let shift = 0; ; shift += 7) {
    const byte = body[i++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return length;
  }
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return Buffer.from([...out, rest]);
}

function read(tailBytes: Buffer, reader = readFields, length = tailBytes.length): SeriesTail | 'poison' {
  const result = new SeriesTail();
  try {
    reader(tailBytes, 0, length, result);
    return result;
  } catch (error) {
    assert.ok(isPoison(error));
    return 'poison';
  }
}

test('fast and plain reading of samples agree, also where bytes are changed or cut', () => {
  let sound = 0;
  fc.assert(
    fc.property(tail, fc.nat(), fc.nat(255), fc.nat(200), (whole, at, byte, cut) => {
      const changed = Buffer.from(whole);
      if (whole.length > 0 && byte > 100) changed[at % whole.length] = byte;
      const some = changed.subarray(0, Math.max(0, changed.length - Math.max(0, cut - 150)));
      // Room behind the end, so that reading past it would not be noticed by chance.
      const padded = Buffer.concat([some, Buffer.alloc(20, 0x10)]);
      const expected = read(some);
      if (expected !== 'poison') sound++;
      assert.deepEqual(read(padded, readTail, some.length), expected);
    }),
    { numRuns: 2000 },
  );
  assert.ok(sound > 300, `${sound} were sound`);
});

test('the plain reading counts every kind of field', () => {
  const whole = bytes('1203' + '10e807' + '1a02' + '0a00' + '2202' + '7805' + '7a00' + '0a00');
  const result = read(whole);
  assert.ok(result !== 'poison');
  const { samples, exemplars, histograms, oldestMs, newestMs, hasLabels } = result;
  const expected = { samples: 1, exemplars: 1, histograms: 1, oldestMs: 5, newestMs: 1000, hasLabels: true };
  assert.deepEqual({ samples, exemplars, histograms, oldestMs, newestMs, hasLabels }, expected);
});

const BAD_TAILS: Record<string, string> = {
  'sample as a varint': '1005',
  'value as a varint': '12020805',
  'timestamp as fixed64': '1209110000000000000000',
  'truncated timestamp': '12021080',
  'exemplar label that is no message': '1a030a01ff',
  'histogram sum as a varint': '22021805',
  'packed doubles that do not divide by eight': '2204520301020300',
  'truncated packed deltas': '22034a0180',
  group: '4b4c',
};

for (const [name, hex] of Object.entries(BAD_TAILS)) {
  test(`malformed after the labels: ${name}`, () => assert.equal(read(bytes(hex)), 'poison'));
}

test('the usual samples take the fast path, which costs the budget nothing', () => {
  const spent = (tailBytes: Buffer) => {
    let units = 0;
    const budget = { spend: (more = 1) => void (units += more) };
    readTail(tailBytes, 0, tailBytes.length, new SeriesTail(), budget);
    return units;
  };
  const usual = bytes('1210090000000000000840' + '1080d095ffbc31');
  assert.equal(spent(Buffer.concat([usual, usual])), 0);
  assert.equal(spent(Buffer.concat([usual, bytes('1202' + '1005')])), 5);
});

test('a walk goes over every series, wherever its labels and the other fields of the request are', () => {
  const label = '0a06' + '0a0161120162';
  const time = '1202' + '1005';
  const long = `${label}${time}7aff01${'00'.repeat(255)}`;
  const series = [
    `0a0c${label}${time}`,
    `0a0c${time}${label}`,
    `0a8e02${long}`,
    `0a8e828000${long}`,
    `8a000c${label}${time}`,
  ];
  const body = bytes(`1a00${series.join('7801')}7801`);
  const seen = [...seriesOf(body)].map(({ bytes: own, start, labelsEnd, end, points }) => [
    own.toString('hex', start, labelsEnd),
    own.toString('hex', labelsEnd, end).slice(0, time.length),
    points,
  ]);
  assert.deepEqual(
    seen,
    series.map(() => [label, time, 1]),
  );
});

test('a walk stops at a series that does not fit the request, and at a field that costs too much', () => {
  for (const hex of ['0a05', '0a80', '0a0012', '0801', '0affffffff0f'])
    assert.throws(() => [...seriesOf(bytes(hex))], isPoison, hex);
  const exceeded = new Error('exceeded');
  const budget = {
    spend: () => {
      throw exceeded;
    },
  };
  const walk = new SeriesWalk(bytes('0a00' + '7801' + '0a00'), budget);
  assert.ok(walk.next());
  assert.throws(() => walk.next(), exceeded);
  assert.equal(walk.fieldStart, 2);
});

test('labels move to the front, all bytes kept in their order', () => {
  const label = '0a06' + '0a0161120162';
  const other = '0a06' + '0a0163120164';
  const sample = '1202' + '1005';
  const moved = labelsFirst(bytes(`ffff${sample}${label}7a0100${other}`), 2, 2 + 2 + 2 + 8 + 3 + 8);
  assert.equal(moved.bytes.toString('hex'), `${label}${other}${sample}7a0100`);
  assert.equal(moved.labelsEnd, 16);
  assert.deepEqual(decodeTimeSeries(moved.bytes).labels, [
    ['a', 'b'],
    ['c', 'd'],
  ]);
});

test('a label whose tag is longer than need be gets the usual one, so that moving labels ends', () => {
  const label = '0a0161120162';
  const moved = labelsFirst(bytes(`8a80008600${label}12021005`), 0, 15);
  assert.equal(moved.bytes.toString('hex'), `0a8600${label}12021005`);
  assert.equal(labelBlockEnd(moved.bytes, 0, moved.bytes.length), moved.labelsEnd);
});

test('what follows the labels is cut between fields', () => {
  const fields = bytes('12021001' + '12021002' + '12021003' + '7a0401020304' + '12021004');
  const cut = (most: number) =>
    splitTail(fields, 0, fields.length, most).map(({ start, end }) =>
      fields.subarray(start, end).toString('hex'),
    );
  assert.deepEqual(cut(100), [fields.toString('hex')]);
  assert.deepEqual(cut(8), ['1202100112021002', '12021003', '7a0401020304', '12021004']);
  assert.deepEqual(cut(5), ['12021001', '12021002', '12021003', '7a0401020304', '12021004']);
  assert.deepEqual(splitTail(fields, 3, 3, 8), [{ start: 3, end: 3 }]);
});

test('the builder writes what another decoder reads', () => {
  const builder = new WriteRequestBuilder();
  const values = [
    {
      labels: [
        ['__name__', 'ü'],
        ['a', 'x'.repeat(200)],
      ] as [string, string][],
      samples: [
        [1.5, 1],
        [-0, -1],
      ] as const,
    },
    { labels: [['b', '']] as [string, string][], samples: [] },
  ];
  for (const { labels, samples } of values) {
    builder.beginSeries();
    for (const [name, value] of labels) builder.label(name, value);
    for (const [value, timestampMs] of samples) builder.sample(value, timestampMs);
    builder.endSeries();
    builder.beginSeries();
    builder.label('discarded', 'yes');
    builder.discardSeries();
  }
  builder.beginSeries();
  builder.label('stale', 'yes');
  builder.sampleBits(0x7ff0000000000002n, 2n ** 62n);
  builder.endSeries();
  assert.equal(builder.series, 3);
  const { series } = decodeWriteRequest(builder.finish());
  assert.deepEqual(
    series.map(({ labels }) => labels),
    [...values.map(({ labels }) => labels), [['stale', 'yes']]],
  );
  assert.deepEqual(series[0]!.samples, [
    { bits: 0x3ff8000000000000n, timestamp: '1' },
    { bits: 0x8000000000000000n, timestamp: '-1' },
  ]);
  assert.deepEqual(series[2]!.samples, [{ bits: 0x7ff0000000000002n, timestamp: String(2n ** 62n) }]);
  assert.equal(builder.finish().length, 0);
});

test('the builder says when its calls are out of order', () => {
  const builder = new WriteRequestBuilder();
  assert.throws(() => builder.endSeries(), /no series is open/);
  builder.beginSeries();
  assert.throws(() => builder.beginSeries(), /inside a series/);
  assert.throws(() => builder.finish(), /inside a series/);
});
