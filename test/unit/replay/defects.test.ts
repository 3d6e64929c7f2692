import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../src/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../src/decode/registry.ts';
import { Pipeline } from '../../../src/pipeline.ts';
import { routeChunk } from '../../../src/replay/route-target.ts';
import { Selection } from '../../../src/replay/selection.ts';
import { Tally } from '../../../src/replay/tally.ts';
import { everyRoute, rawRecord, seriesRecord } from '../../support/records.ts';

/** Decoders of which Graphite's has a mistake. */
const decoders = new DecoderRegistry(
  'auto',
  createDecoders().map((decoder) =>
    decoder.name === 'graphite'
      ? { ...decoder, decode: () => (undefined as unknown as { x: never }).x }
      : decoder,
  ),
);
const BAD = rawRecord(1, Buffer.from('a 1 1'), { 'content-type': 'application/x-graphite' });

for (const [what, toMs] of [
  ['all of it', undefined],
  ['a part of it', 2_000_000_000_000],
] as const) {
  test(`a record that leads to a defect is refused alone when a range is replayed, ${what}`, () => {
    const pipeline = new Pipeline({
      routes: [everyRoute()],
      cacheBytes: 1 << 20,
      maxRecordBytes: () => 1 << 20,
      decoders: () => decoders,
    });
    const selection = new Selection(
      { limits: DEFAULT_LIMITS, tenantHeaders: [], ...(toMs === undefined ? {} : { toMs }) } as never,
      decoders,
    );
    assert.equal(selection.takesAll, toMs === undefined);
    const tally = new Tally();
    const records = [seriesRecord(0, ['a']), BAD, seriesRecord(2, ['b'])];
    routeChunk({ partition: 0, records }, pipeline, selection, tally);
    assert.deepEqual([tally.records, tally.samples], [3, 2]);
    assert.deepEqual([...tally.refused], [['defect', 1]]);
  });
}
