import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteRequestBuilder } from '../../../src/core/wire/write-request-builder.ts';
import { encodeWriteRequest, writeRequest } from '../../lab/generator/write-request.ts';
import { doubleOf, readWriteRequest } from '../../lab/truth/prompb.ts';

const SERIES = [
  {
    labels: [['__name__', 'up']],
    samples: [
      [0, 0],
      [1_760_000_000_000, -1.5],
    ],
  },
  {
    labels: [
      ['__name__', 'é'],
      ['long', 'x'.repeat(70_000)],
      ['empty', ''],
    ],
    samples: [],
  },
  {
    labels: [['__name__', 'last']],
    samples: [
      [127, Number.POSITIVE_INFINITY],
      [128, 1e-300],
    ],
  },
] as const;

test('gives what protobufjs reads again', () => {
  const read = readWriteRequest(writeRequest(SERIES)).series.map(({ labels, samples }) => ({
    labels,
    samples: samples.map(({ timestamp, bits }) => [Number(timestamp), doubleOf(bits)]),
  }));
  assert.deepEqual(read, SERIES);
});

test('gives the bytes of the builder', () => {
  const builder = new WriteRequestBuilder();
  for (const { labels, samples } of SERIES) {
    builder.beginSeries();
    for (const [name, value] of labels) builder.label(name, value);
    for (const [time, value] of samples) builder.sample(value, time);
    builder.endSeries();
  }
  assert.ok(builder.finish().equals(encodeWriteRequest(SERIES)));
});
