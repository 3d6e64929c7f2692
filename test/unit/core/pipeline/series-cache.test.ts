import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashBytes, SeriesCache } from '../../../../src/core/pipeline/series-cache.ts';
import { ENTRY, EntryBuilder, padded, ROUTE } from '../../../../src/core/pipeline/series-entry.ts';
import { viewOf } from '../../../../src/core/wire/bytes.ts';

/** Raw labels of a series: one label field with a text that is its own. */
function raw(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]);
}

/** A TimeSeries: the labels, then a sample field. */
const series = (labels: Buffer) => Buffer.concat([labels, Buffer.from([0x12, 0x00])]);

const builder = new EntryBuilder();

/** Looks a series up as the pipeline does, and inserts it with the given task where it is new. */
function visit(
  cache: SeriesCache,
  previous: number,
  labels: Buffer,
  task: number,
): { slot: number; task: number; how: string } {
  const bytes = series(labels);
  const view = viewOf(bytes);
  let how = 'predicted';
  if (!cache.next(previous, view, 0, bytes.length)) {
    how = 'found';
    if (!cache.find(previous, view, 0, labels.length)) {
      how = 'missed';
      builder.begin(view, 0, labels.length);
      builder.addTask(0, task, labels, viewOf(labels), labels.length);
      cache.insert(previous, builder);
    }
  }
  const route = cache.word + ENTRY.words + padded(labels.length) / 4;
  assert.equal(cache.words[cache.word + ENTRY.rawLength], labels.length);
  return { slot: cache.slot, task: cache.words[route + ROUTE.task]!, how };
}

test('a series is missed, then found, then predicted', () => {
  const cache = new SeriesCache({ bytes: 1 << 20 });
  const order = ['a', 'b', 'c'].map(raw);
  const pass = () => {
    let previous = -1;
    return order.map((labels, i) => {
      const { slot, task, how } = visit(cache, previous, labels, i);
      previous = slot;
      assert.equal(task, i);
      return how;
    });
  };
  assert.deepEqual(pass(), ['missed', 'missed', 'missed']);
  assert.deepEqual(pass(), ['found', 'predicted', 'predicted']);
  const { series: kept, missed, found, predicted } = cache.stats;
  assert.deepEqual({ kept, missed, found, predicted }, { kept: 3, missed: 3, found: 1, predicted: 2 });
});

test('the prediction heals when a series vanishes or joins', () => {
  const cache = new SeriesCache({ bytes: 1 << 20 });
  const pass = (names: string[]) => {
    let previous = -1;
    return names.map((name) => {
      const { slot, how } = visit(cache, previous, raw(name), 0);
      previous = slot;
      return how;
    });
  };
  pass(['a', 'b', 'c', 'd']);
  assert.deepEqual(pass(['a', 'c', 'd']), ['found', 'found', 'predicted']);
  assert.deepEqual(pass(['a', 'c', 'd']), ['found', 'predicted', 'predicted']);
  assert.deepEqual(pass(['a', 'new', 'c', 'd']), ['found', 'missed', 'found', 'predicted']);
  assert.deepEqual(pass(['a', 'new', 'c', 'd']), ['found', 'predicted', 'predicted', 'predicted']);
});

test('labels that only begin like a known series are another series', () => {
  const cache = new SeriesCache({ bytes: 1 << 20 });
  const short = raw('a');
  const long = Buffer.concat([short, raw('b')]);
  const first = visit(cache, -1, raw('start'), 0).slot;
  visit(cache, first, short, 1);
  assert.deepEqual({ ...visit(cache, first, long, 2), slot: 0 }, { slot: 0, task: 2, how: 'missed' });
  assert.equal(visit(cache, first, short, 9).task, 1);
  assert.equal(visit(cache, first, long, 9).task, 2);
});

test('two series of one hash stay two', () => {
  const seen = new Map<number, Buffer>();
  const pairs: [Buffer, Buffer][] = [];
  for (let i = 0; i < 400_000 && pairs.length < 3; i++) {
    const labels = raw(`series-${i}`);
    const hash = hashBytes(7, viewOf(labels), 0, labels.length);
    const other = seen.get(hash);
    if (other) pairs.push([other, labels]);
    else seen.set(hash, labels);
  }
  assert.ok(pairs.length > 0, 'no collision found');
  for (const [a, b] of pairs) {
    const cache = new SeriesCache({ bytes: 1 << 20, seed: 7 });
    assert.equal(visit(cache, -1, a, 1).how, 'missed');
    assert.equal(visit(cache, -1, b, 2).how, 'missed');
    assert.deepEqual([visit(cache, -1, a, 9).task, visit(cache, -1, b, 9).task], [1, 2]);
  }
});

test('of series that fall into one bucket 64 are kept, the others are used all the same', () => {
  const buckets = 1024;
  const same: Buffer[] = [];
  for (let i = 0; same.length < 200; i++) {
    const labels = raw(`series-${i}`);
    if ((hashBytes(7, viewOf(labels), 0, labels.length) & (buckets - 1)) === 0) same.push(labels);
  }
  const cache = new SeriesCache({ bytes: 1 << 20, seed: 7 });
  for (let round = 0; round < 2; round++) {
    const visited = same.map((labels, i) => visit(cache, -1, labels, i));
    assert.deepEqual(
      visited.map(({ task }) => task),
      same.map((_, i) => i),
    );
    const known = round === 0 ? 0 : 64;
    assert.equal(visited.filter(({ how }) => how === 'found').length, known);
    assert.equal(visited.filter(({ slot }) => slot >= 0).length, 64);
  }
  assert.equal(cache.stats.series, 64);
  assert.equal(visit(cache, -1, raw('another'), 5).slot, 64);
});

test('the cache agrees with a Map while it evicts', () => {
  const visits = fc.array(fc.tuple(fc.nat(120), fc.boolean()), {
    minLength: 1,
    maxLength: 1200,
    size: 'max',
  });
  let evicted = 0;
  fc.assert(
    fc.property(visits, fc.constantFrom(0, 4096, 60_000), (list, bytes) => {
      const cache = new SeriesCache({ bytes, slabBytes: 1024 });
      const plain = new Map<string, number>();
      let previous = -1;
      for (const [number, inOrder] of list) {
        const text = `${number}-${'x'.repeat(number)}`;
        if (!plain.has(text)) plain.set(text, number * 3);
        const { slot, task } = visit(cache, inOrder ? previous : -1, raw(text), number * 3);
        assert.equal(task, plain.get(text));
        previous = slot;
      }
      const { series: kept, bytes: used } = cache.stats;
      assert.ok(kept <= plain.size);
      // Two slabs and the first tables are the least there is.
      assert.ok(used <= Math.max(bytes, 2 * 1024 + 1024 * 21), `${used} bytes`);
      evicted += cache.stats.evicted;
    }),
    { numRuns: 60 },
  );
  assert.ok(evicted > 1000, `${evicted} evicted`);
});

test('what is in use survives, what is not makes room', () => {
  const cache = new SeriesCache({ bytes: 0, slabBytes: 1024 });
  const hot = raw('hot');
  visit(cache, -1, hot, 1);
  let missed = 0;
  for (let i = 0; i < 2000; i++) {
    visit(cache, -1, raw(`cold-${i}`), 0);
    if (visit(cache, -1, hot, 1).how === 'missed') missed++;
  }
  assert.equal(missed, 0);
  assert.ok(cache.stats.evicted > 100, `${cache.stats.evicted} were evicted`);
});

/** One pass over the series `[from, to)`, in order. Returns how many of them were known. */
function pass(cache: SeriesCache, from: number, to: number): number {
  let [previous, known] = [-1, 0];
  for (let i = from; i < to; i++) {
    const visited = visit(cache, previous, raw(`series-${i}`), i);
    assert.equal(visited.task, i);
    if (visited.how !== 'missed') known++;
    previous = visited.slot;
  }
  return known;
}

/** A cache that is full of `size` series, 0 to size - 1. */
function fullCache(): { cache: SeriesCache; size: number } {
  const cache = new SeriesCache({ bytes: 256 * 1024, slabBytes: 4096 });
  let size = 0;
  while (cache.stats.unkept === 0) pass(cache, size, ++size);
  size = cache.stats.series;
  for (let round = 0; round < 10; round++) pass(cache, 0, size);
  assert.equal(pass(cache, 0, size), size);
  return { cache, size };
}

test('series that are more than there is room for, in turn: what is kept stays, and is recognised', () => {
  for (const times of [1.1, 1.5, 2]) {
    const { cache, size } = fullCache();
    const many = Math.round(size * times);
    for (let round = 0; round < 10; round++) pass(cache, 0, many);
    let known = 0;
    for (let round = 0; round < 10; round++) known += pass(cache, 0, many);
    assert.ok(
      known > 10 * 0.95 * size,
      `of ${many} series ${known / 10} are recognised; there is room for ${size}`,
    );
  }
});

test('a flood of series that come once leaves those in use, and those that come in place of others are kept soon', () => {
  const { cache, size } = fullCache();
  const half = Math.floor(size / 2);
  for (let round = 0; round < 20; round++) {
    assert.equal(pass(cache, 0, half), half);
    pass(cache, size + round * half, size + (round + 1) * half);
  }
  const others = 100 * size;
  let rounds = 0;
  while (pass(cache, others, others + half) < half) rounds++;
  assert.ok(rounds * half <= 4.5 * size, `new series were kept after ${rounds} rounds`);
});

test('many small series: tables stay within the budget too', () => {
  const cache = new SeriesCache({ bytes: 200_000, slabBytes: 4096 });
  for (let i = 0; i < 20_000; i++) assert.equal(visit(cache, -1, raw(`${i}`), i).task, i);
  const { bytes, series: kept } = cache.stats;
  assert.ok(bytes <= 200_000, `${bytes} bytes`);
  assert.ok(kept > 1000, `${kept} series`);
});

test('a series too large to keep is used all the same', () => {
  const cache = new SeriesCache({ bytes: 0, slabBytes: 1024 });
  const large = Buffer.concat([raw('x'.repeat(120)), raw('y'.repeat(120)), raw('z'.repeat(120))]);
  for (let i = 0; i < 3; i++)
    assert.deepEqual(visit(cache, -1, large, 5), { slot: -1, task: 5, how: 'missed' });
  assert.equal(cache.stats.series, 0);
  assert.equal(visit(cache, visit(cache, -1, large, 5).slot, raw('a'), 1).task, 1);
});

test('a slab size that cannot work is refused', () => {
  for (const slabBytes of [0, 1000, 512, 1025]) {
    assert.throws(() => new SeriesCache({ bytes: 0, slabBytes }), RangeError);
  }
});
