import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pipeline } from '../../../../src/core/pipeline/pipeline.ts';
import { encodeDeadLetter } from '../../../../src/core/record/dead-letter.ts';
import { recordTime } from '../../../../src/core/record/record-time.ts';
import { uncompress } from '../../../../src/core/wire/snappy.ts';
import { RecordTimes } from '../../../../src/services/replay/steps.ts';
import { decodeWriteRequest } from '../../../lab/truth/prompb.ts';
import { PASS_ROUTE } from '../../../support/pass-route.ts';

const NOW = 1_764_000_000_000;
/** None, never set, before the epoch, microseconds, nanoseconds, what Kafka's 64 bits may hold, and no number at all. */
const NO_TIMES = [
  -1,
  0,
  -86_400_000,
  1_764_000_000_000_000,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  1.7e18,
  Number.NaN,
];
const now = () => NOW;

for (const timestamp of NO_TIMES) {
  test(`a record of ${timestamp} has the time of its receipt`, () => {
    const step = new Pipeline({
      routes: [PASS_ROUTE],
      cacheBytes: 64 * 1024,
      slabBytes: 16 * 1024,
      maxRecordBytes: () => 1_000_000,
      now,
    }).begin('raw');
    const source = { topic: 'raw', partition: 0, offset: 0n, headers: {} };
    step.process({ ...source, timestamp, value: Buffer.from('cpu v=1') });
    const { records, dead, counts } = step.finish();
    assert.deepEqual(dead, []);
    const [{ samples } = { samples: [] }] = decodeWriteRequest(uncompress(records[0]!.value, 1000)).series;
    assert.equal(samples[0]?.timestamp, String(NOW));
    // Kafka refuses times that are out of its bounds, and retention goes by them.
    assert.equal(records[0]!.timestamp, NOW);
    assert.equal(counts.withoutTime, 1);
  });

  test(`a dead letter of a record of ${timestamp} keeps the time of its receipt for when it is redriven`, () => {
    const source = { topic: 'raw', partition: 0, offset: 0n, timestamp };
    const content = { source, stage: 'decode', reason: 'x', message: '', value: null, headers: {} } as const;
    const { headers } = encodeDeadLetter(
      content,
      { topic: 'dead', partitions: 1, maxMessageBytes: 1e6 },
      NOW - 5,
    );
    assert.equal(recordTime({ headers, timestamp: NOW }, now), NOW - 5);
  });
}

test('a time that can be is kept', () => {
  for (const timestamp of [1, NOW, Date.UTC(9999, 11, 31)]) {
    assert.equal(recordTime({ headers: {}, timestamp }, now), timestamp);
  }
  const headers = { 'penstock-timestamp': '1700000000000' };
  assert.equal(recordTime({ headers, timestamp: NOW }, now), 1_700_000_000_000);
  for (const text of ['-1', '0', '', 'x', '1e99', '1764000000000000']) {
    assert.equal(
      recordTime({ headers: { 'penstock-timestamp': text }, timestamp: NOW - 1 }, now),
      NOW - 1,
      text,
    );
  }
});

test('a replay gives records without a time that of their neighbour', () => {
  const times = new RecordTimes(now);
  const fill = (partition: number, ...stamps: number[]) =>
    times
      .fill(
        partition,
        stamps.map((timestamp) => ({ timestamp })),
      )
      .map(({ timestamp }) => timestamp);
  assert.deepEqual(fill(0, -1, -1, 1000, -1, 2000), [1000, 1000, 1000, 1000, 2000]);
  assert.deepEqual(fill(0, -1, 3000), [2000, 3000]);
  assert.deepEqual(fill(1, -1, 0), [NOW, NOW]);
  const whole = [{ timestamp: 1 }];
  assert.equal(times.fill(2, whole), whole);
});
