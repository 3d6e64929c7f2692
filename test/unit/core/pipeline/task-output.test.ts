import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TaskRecord } from '../../../../src/core/model/records.ts';
import { BufferPool, outputCapacity, TaskOutput } from '../../../../src/core/pipeline/task-output.ts';
import { viewOf } from '../../../../src/core/wire/bytes.ts';
import {
  compress,
  javascriptSnappy,
  maxCompressedLength,
  nativeSnappy,
  uncompress,
} from '../../../../src/core/wire/snappy.ts';
import { timeSeriesOf } from '../../../support/plain-pipeline.ts';

const ENTRY = viewOf(Buffer.from('__MIDDLE__'));
const tenant = { key: '', headers: {} };

function outputOf(capacity: number, pool = new BufferPool(1 << 20)): TaskOutput {
  return new TaskOutput({ index: 3, topic: 'tasks' }, 7, tenant, capacity, pool);
}

/** Appends `<prefix>MIDDLE<rest>`. */
function append(output: TaskOutput, prefix: string, rest: string, timestamp: number): boolean {
  const body = Buffer.from(`..${prefix}skipped${rest}`);
  const restAt = 2 + prefix.length + 'skipped'.length;
  return output.append(viewOf(body), 2, prefix.length, ENTRY, 2, 6, restAt, body.length, 1, timestamp);
}

function texts(record: TaskRecord): string[] {
  return timeSeriesOf(uncompress(record.value, 1 << 30)).map((message) => Buffer.from(message).toString());
}

function finish(output: TaskOutput): TaskRecord[] {
  const records: TaskRecord[] = [];
  output.finish(records);
  return records;
}

test('series are put together from prefix, middle and rest; the record says what it holds', () => {
  const output = outputOf(1000);
  assert.ok(append(output, 'one-', '-1', 20));
  assert.ok(append(output, '', '', 10));
  assert.ok(append(output, 'x'.repeat(200), 'y'.repeat(100), 30));
  const [record, ...others] = finish(output);
  assert.deepEqual(others, []);
  assert.deepEqual(texts(record!), ['one-MIDDLE-1', 'MIDDLE', `${'x'.repeat(200)}MIDDLE${'y'.repeat(100)}`]);
  const { value, ...rest } = record!;
  assert.ok(value.length > 0);
  assert.deepEqual(rest, {
    route: 3,
    topic: 'tasks',
    partition: 7,
    timestamp: 10,
    tenant,
    series: 3,
    samples: 3,
  });
  assert.deepEqual(finish(output), []);
});

test('an output closes its record before it is too large, and starts the next', () => {
  const maxRecordBytes = 300;
  const output = outputOf(outputCapacity(maxRecordBytes));
  for (let i = 0; i < 20; i++) assert.ok(append(output, `${i}:${'p'.repeat(i)}`, 'rest', i));
  const records = finish(output);
  assert.ok(records.length > 2);
  assert.equal(records.flatMap(texts).length, 20);
  assert.deepEqual(
    records.map(({ timestamp }) => timestamp),
    [...records.map(({ timestamp }) => timestamp)].sort((a, b) => a - b),
  );
  for (const { value } of records) {
    assert.ok(maxCompressedLength(uncompress(value, 1 << 30).length) <= maxRecordBytes);
  }
});

test('exactly what fits is taken; a byte more is refused, and leaves the output as it was', () => {
  const output = outputOf(100);
  assert.ok(append(output, 'a'.repeat(100 - 2 - 6), '', 0));
  assert.equal(append(output, 'a'.repeat(100 - 2 - 6 + 1), '', 0), false);
  assert.equal(outputOf(0).append(ENTRY, 0, 0, ENTRY, 0, 1, 0, 0, 0, 0), false);
  const [record] = finish(output);
  assert.equal(texts(record!).length, 1);
});

/** A TimeSeries of pseudo-random bytes, which nothing compresses, or of the same byte all along. */
function seriesBytes(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length, seed);
  if (seed % 2 === 0) return bytes;
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

test('a record of many blocks is what was appended, by either implementation of snappy, and fits', () => {
  const readers = [nativeSnappy(), javascriptSnappy()];
  const size = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 2_000 }) },
    { weight: 3, arbitrary: fc.integer({ min: 20_000, max: 80_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 250_000, max: 400_000 }) },
  );
  const series = fc.tuple(size, fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 40 }));
  const pool = new BufferPool(1 << 20);
  fc.assert(
    fc.property(
      fc.array(series, { minLength: 1, maxLength: 12 }),
      fc.constantFrom(500_000, 1_000_000, 2_000_000),
      (runs, maxRecordBytes) => {
        const output = outputOf(outputCapacity(maxRecordBytes), pool);
        const expected: Buffer[] = [];
        for (const [length, seed, times] of runs) {
          const bytes = seriesBytes(length, seed);
          for (let i = 0; i < (length > 2_000 ? 3 : times); i++) {
            assert.ok(output.append(viewOf(bytes), 0, 0, ENTRY, 0, 0, 0, length, 1, 0));
            expected.push(bytes);
          }
        }
        const records = finish(output);
        for (const { value } of records) assert.ok(value.length <= maxRecordBytes);
        for (const reader of readers) {
          const found = records.flatMap(({ value }) => timeSeriesOf(reader.uncompress(value)));
          assert.equal(found.length, expected.length);
          found.forEach((bytes, i) => {
            assert.ok(expected[i]!.equals(bytes), `series ${i}`);
          });
        }
        assert.equal(
          records.reduce((sum, record) => sum + record.series, 0),
          expected.length,
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('a record compressed a block at a time is not larger than compressed at once', () => {
  const output = outputOf(8 << 20);
  for (let n = 0; n < 9_000; n++)
    append(
      output,
      `http_requests_total{pod="checkout-${n % 50}-${n}",`,
      `code="${n % 7}"} ${n * n}`.repeat(4),
      n,
    );
  const [record, ...others] = finish(output);
  assert.deepEqual(others, []);
  const body = uncompress(record!.value, 1 << 30);
  assert.ok(body.length > 3 * 256 * 1024, `${body.length} bytes are too few to show it`);
  const once = compress(body).length;
  assert.ok(record!.value.length < once * 1.01, `${record!.value.length} bytes, at once ${once}`);
});

test('an output takes a block of memory, however large its record is', () => {
  const pool = new BufferPool(16 << 20);
  const output = outputOf(8 << 20, pool);
  for (let n = 0; n < 20_000; n++) append(output, `${n}`, 'r'.repeat(300), n);
  assert.equal(finish(output).length, 1);
  assert.equal(pool.take(1).bytes.length, 256 * 1024);
});

test('buffers go back to the pool and are lent again, up to its size', () => {
  const pool = new BufferPool(300_000);
  const a = pool.take(1);
  const b = pool.take(200_000);
  assert.ok(b.bytes.length >= 200_000);
  pool.give(a);
  pool.give(b);
  assert.equal(pool.take(1), b, 'the largest comes first');
  assert.equal(pool.take(1), a);
  pool.give(a);
  assert.notEqual(pool.take(150_000), a);
  const c = pool.take(1 << 20);
  pool.give(c);
  assert.notEqual(pool.take(1 << 20), c);
});

test('outputs that share a pool do not share bytes', () => {
  const pool = new BufferPool(1 << 20);
  const outputs = [0, 1, 2].map(() => outputOf(1 << 20, pool));
  for (let round = 0; round < 3; round++) {
    outputs.forEach((output, i) => {
      for (let n = 0; n < 300; n++) append(output, `${round}-${i}-${n}`, 'r'.repeat(300), n);
    });
    outputs.forEach((output, i) => {
      const all = finish(output).flatMap(texts);
      assert.equal(all.length, 300);
      assert.ok(all.every((text, n) => text.startsWith(`${round}-${i}-${n}MIDDLE`)));
    });
  }
});
