import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fleet, type Scrape } from '../../../../src/core/generate/fleet.ts';
import { encodeScrape } from '../../../../src/core/generate/scrape-record.ts';
import { formatWritten, Written } from '../../../../src/core/generate/written.ts';
import { uncompress } from '../../../../src/core/wire/snappy.ts';
import { decodeTimeSeries } from '../../../lab/truth/prompb.ts';
import { timeSeriesOf } from '../../../support/plain-pipeline.ts';

const MIB = 2 ** 20;

function scrapes(count: number): Scrape[] {
  const fleet = new Fleet({ series: 100, seed: 3, intervalMs: 5_000, startMs: 1_700_000_000_000 });
  return Array.from({ length: count }, () => fleet.next());
}

test('a scrape becomes records of the wanted size, with the pod as key, that another decoder reads', () => {
  const [scrape] = scrapes(1);
  const records = encodeScrape(scrape!, 20);
  assert.equal(records.length, Math.ceil(scrape!.series.length / 20));
  const decoded = records.flatMap(({ key, value, timestampMs }) => {
    assert.equal(key, scrape!.pod.name);
    assert.equal(timestampMs, scrape!.timestampMs);
    return timeSeriesOf(uncompress(value, MIB)).map(decodeTimeSeries);
  });
  assert.deepEqual(
    decoded.map(({ labels, samples }) => ({ labels, samples })),
    scrape!.series.map(({ labels, value }) => ({
      labels: labels.map((label) => [label.name, label.value]),
      samples: [{ bits: bitsOf(value), timestamp: String(scrape!.timestampMs) }],
    })),
  );
});

test('a pod that went is written as stale markers', () => {
  const [record] = encodeScrape({ ...scrapes(1)[0]!, stale: true }, 500);
  const series = timeSeriesOf(uncompress(record!.value, MIB)).map(decodeTimeSeries);
  assert.ok(series.length > 0);
  for (const { samples } of series) assert.equal(samples[0]!.bits, 0x7ff0000000000002n);
});

test('what was written is counted by service and kept by series', () => {
  const all = scrapes(10);
  const written = new Written({ keepSamples: true });
  for (const scrape of all) written.add(scrape);
  written.add({ ...all.at(-1)!, stale: true });
  const samples = [...all, all.at(-1)!].reduce((sum, { series }) => sum + series.length, 0);
  assert.equal(written.total.samples, samples);
  assert.equal(
    [...written.groups.values()].reduce((sum, group) => sum + group.samples, 0),
    samples,
  );
  const kept = [...written.series];
  assert.equal(kept.length, written.total.series);
  assert.equal(
    kept.reduce((sum, { values }) => sum + values.length, 0),
    samples,
  );
  const last = kept.findLast(({ labels }) => labels.some(({ value }) => value === all.at(-1)!.pod.name))!;
  assert.match(formatWritten(last), /"values":\[.*,null\],"timestamps":\[\d+,.*\]\}$/);
});

test('without the wish to keep them, samples are only counted', () => {
  const written = new Written({ keepSamples: false });
  for (const scrape of scrapes(3)) written.add(scrape);
  assert.ok(written.total.samples > 0);
  assert.deepEqual([...written.series], []);
});

function bitsOf(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
