import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defectNotes } from '../../../../../src/app/commands/defect-notes.ts';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { Pipeline } from '../../../../../src/core/pipeline/pipeline.ts';
import { Selection } from '../../../../../src/services/replay/plan/selection.ts';
import { rawBodies } from '../../../../../src/services/replay/target/remote-write-bodies.ts';
import { routeChunk } from '../../../../../src/services/replay/target/route-target.ts';
import { Tally } from '../../../../../src/services/replay/target/target.ts';
import { everyRoute, rawRecord, seriesRecord } from '../../../../support/records.ts';

/** Decoders of which Graphite's has a mistake. */
const decoders = new DecoderRegistry(
  'auto',
  createDecoders().map((decoder) =>
    decoder.name === 'graphite'
      ? { ...decoder, decode: () => (undefined as unknown as { x: never }).x }
      : decoder,
  ),
);
const nowMs = () => 0;
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
    const told: string[] = [];
    const onDefect = defectNotes((message) => void told.push(message));
    const selection = new Selection(
      {
        limits: DEFAULT_LIMITS,
        tenantHeaders: [],
        nowMs,
        onDefect,
        ...(toMs === undefined ? {} : { toMs }),
      } as never,
      decoders,
    );
    assert.equal(selection.takesAll, toMs === undefined);
    const tally = new Tally();
    const records = [seriesRecord(0, ['a']), BAD, seriesRecord(2, ['b'])];
    routeChunk({ partition: 0, records }, pipeline, selection, tally);
    const again = { ...BAD, offset: 3n };
    routeChunk({ partition: 0, records: [again] }, pipeline, selection, new Tally());
    assert.equal(told.length, 1, 'a stack is told once');
    assert.match(told[0]!, /^raw 0:1 leads to a defect of Penstock.*\n\s+at .*defects\.test\.ts/s);
    assert.deepEqual([tally.records, tally.samples], [3, 2]);
    assert.deepEqual([...tally.refused], [['defect', 1]]);
  });
}

test('a record whose tenant no header can carry is refused alone when it is replayed to storage', () => {
  const selection = new Selection(
    { match: [], limits: DEFAULT_LIMITS, tenantHeaders: ['tenant'], nowMs },
    decoders,
  );
  const tally = new Tally();
  const records = [
    seriesRecord(0, ['a'], { tenant: 'one' }),
    seriesRecord(1, ['b'], { tenant: 'two\nlines' }),
    seriesRecord(2, ['c'], { tenant: 'much too long' }),
    seriesRecord(3, ['d'], { tenant: null }),
  ];
  const bodies = [...rawBodies(selection, ['tenant'], 10)(records, tally)];
  assert.deepEqual(
    bodies.map(({ headers }) => headers),
    [{ tenant: 'one' }, {}],
  );
  assert.deepEqual([...tally.refused], [['tenant', 2]]);
});

test('a task record of a version that is not known is refused alone when it is replayed to storage', () => {
  const selection = new Selection({ match: [], limits: DEFAULT_LIMITS, tenantHeaders: [], nowMs }, decoders);
  const tally = new Tally();
  const records = ['1', '2'].map((version, offset) =>
    seriesRecord(offset, ['a'], { 'penstock-version': version, 'penstock-samples': '1' }),
  );
  assert.equal([...rawBodies(selection, [])(records, tally)].length, 1);
  assert.deepEqual([...tally.refused], [['unknown_version', 1]]);
});
