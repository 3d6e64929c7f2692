import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scrapes } from '../../lab/generator/scrapes.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';

/** The series of each scrape, with their partitions. */
function seriesOf(scrapes: Scrapes): Map<string, number> {
  const found = new Map<string, number>();
  for (const { value, partition } of scrapes.take(1)) {
    for (const key of samplesOf([{ value }]).samples.keys())
      found.set(key.slice(0, key.lastIndexOf('@')), partition);
  }
  return found;
}

test('scrapes without churn have the same series in the same partitions, with other samples', () => {
  const scrapes = new Scrapes({ series: 5_000, partitions: 2 });
  const first = seriesOf(scrapes);
  assert.equal(first.size, 5_000);
  assert.deepEqual(seriesOf(scrapes), first);
  const [one, two] = [...new Scrapes({ series: 100, partitions: 1 }).take(2)];
  assert.notDeepEqual(one!.value, two!.value);
});

test('5 % a minute are 1.25 % at each scrape; who stays keeps the partition', () => {
  const scrapes = new Scrapes({ series: 4_000, partitions: 3, churnAMinute: 0.05 });
  let before = seriesOf(scrapes);
  for (let scrape = 0; scrape < 4; scrape += 1) {
    const now = seriesOf(scrapes);
    assert.equal(now.size, 4_000);
    const stayed = [...now].filter(([series]) => before.has(series));
    assert.equal(stayed.length, 3_950);
    assert.ok(stayed.every(([series, partition]) => before.get(series) === partition));
    before = now;
  }
});

test('shuffled scrapes have the same series in the same requests, in another order each time', () => {
  const scrapes = new Scrapes({ series: 4_000, partitions: 2, shuffled: true });
  const order = () =>
    [...scrapes.take(1)].map(({ value }) =>
      [...samplesOf([{ value }]).samples.keys()].map((key) => key.slice(0, key.lastIndexOf('@'))),
    );
  const [first, second] = [order(), order()];
  const sorted = (requests: string[][]) => requests.map((series) => series.toSorted());
  assert.deepEqual(sorted(first), sorted(second));
  const pairs = (series: string[]) => series.slice(1).map((key, at) => `${series[at]} ${key}`);
  for (const [at, series] of first.entries()) {
    const known = new Set(pairs(series));
    assert.ok(pairs(second[at]!).filter((pair) => known.has(pair)).length < 20);
  }
});
