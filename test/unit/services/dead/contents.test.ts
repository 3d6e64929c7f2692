import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDecoders, DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { contentsOf } from '../../../../src/services/dead/contents.ts';
import { letterOf, rawRecord, seriesRecord } from '../../../support/records.ts';

const decoders = new DecoderRegistry();

test('of many series as many are shown as asked for, the others are counted', () => {
  const names = Array.from({ length: 50 }, (_, at) => `s${at}`);
  const { series, more, encoding, fault } = contentsOf(letterOf(seriesRecord(0, names)), decoders, 3);
  assert.deepEqual(
    series.map(({ labels }) => labels[0]!.value),
    ['s0', 's1', 's2'],
  );
  assert.deepEqual([more, encoding, fault], [47, 'remote_write_v1', undefined]);
});

test('the encoding is told of what cannot be decoded, too', () => {
  const record = rawRecord(0, Buffer.from('no JSON'), { 'content-type': 'application/x-otlp+json' });
  const { encoding, fault } = contentsOf(letterOf(record), decoders, 3);
  assert.equal(encoding, 'otlp_json');
  assert.match(fault!, /is not JSON/);
});

test('a letter that takes too long is told, and not waited for', () => {
  const slow = createDecoders().map((decoder) =>
    decoder.name === 'json'
      ? {
          ...decoder,
          decode: (_: Buffer, { budget }: Parameters<typeof decoder.decode>[1]) => {
            for (;;) budget!.spend();
          },
        }
      : decoder,
  );
  const record = rawRecord(0, Buffer.from('{}'), { 'content-type': 'application/jsonl' });
  const { fault } = contentsOf(letterOf(record), new DecoderRegistry('auto', slow), 3);
  assert.match(fault!, /more than 1000 ms of CPU time/);
});
