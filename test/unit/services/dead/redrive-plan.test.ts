import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { OutgoingRecord } from '../../../../src/core/model/records.ts';
import { markerRecord, readMarker } from '../../../../src/core/record/redrive-marker.ts';
import { readLetter } from '../../../../src/core/record/stored-letter.ts';
import type { FetchedRecord } from '../../../../src/io/kafka/partition-queue.ts';
import type { SourceOffsets } from '../../../../src/io/kafka/produce/transactional-producer.ts';
import { OffsetRanges } from '../../../../src/services/dead/offset-ranges.ts';
import { PartitionRedrive } from '../../../../src/services/dead/partition-redrive.ts';
import { RedrivePlan, verdictOn } from '../../../../src/services/dead/redrive-plan.ts';
import { redrivenRecord } from '../../../../src/services/dead/redriven-record.ts';
import { visitLetter } from '../../../../src/services/dead/scan.ts';

const NOW = 1_760_000_000_000;

function stored(headers: Record<string, string>, changes: Partial<FetchedRecord> = {}): FetchedRecord {
  const all = {
    'penstock-stage': 'decode',
    'penstock-reason': 'snappy',
    'penstock-source': 'raw/3/41',
    ...headers,
  };
  return {
    topic: 'dead',
    partition: 0,
    offset: 7n,
    timestamp: NOW,
    key: null,
    value: Buffer.from('body'),
    headers: Object.fromEntries(Object.entries(all).map(([name, value]) => [name, Buffer.from(value)])),
    ...changes,
  };
}

const targets = {
  ingest: new Map([['raw', 4]]),
  tasks: new Map([['tasks', 8]]),
  maxMessageBytes: new Map([
    ['raw', 1_000_000],
    ['tasks', 1_000_000],
  ]),
};

function redriven(headers: Record<string, string>, changes: Partial<FetchedRecord> = {}) {
  return redrivenRecord(readLetter(stored(headers, changes))!, targets, NOW);
}

describe('OffsetRanges', () => {
  test('has what was added, in any order', () => {
    const range = fc.tuple(fc.nat(200), fc.nat(20)).map(([first, more]) => [first, first + more] as const);
    fc.assert(
      fc.property(fc.array(range), (added) => {
        const ranges = new OffsetRanges();
        const plain = new Set<number>();
        for (const [first, last] of added) {
          ranges.add(BigInt(first), BigInt(last));
          for (let offset = first; offset <= last; offset++) plain.add(offset);
        }
        for (let offset = 0; offset < 230; offset++)
          assert.equal(ranges.has(BigInt(offset)), plain.has(offset));
      }),
    );
  });
});

describe('a marker', () => {
  test('names the letters, and a dead letter that looks like one does not', () => {
    const ranges = [
      [4n, 5n],
      [9n, 9n],
    ] as const;
    const marker = markerRecord('dead', 2, ranges, NOW);
    const record = { ...stored({}), ...marker, offset: 12n };
    assert.deepEqual(readMarker(record), ranges);
    assert.equal(readLetter(record), undefined);
    const forged = stored({}, { key: marker.key, value: marker.value });
    assert.equal(readMarker(forged), undefined);
    assert.equal(readLetter(forged)?.reason, 'snappy');
  });

  test('of a version that is not known ends what reads it: its letters would go back twice', () => {
    const marker = markerRecord('dead', 2, [[4n, 5n]], NOW);
    const record = { ...stored({}), ...marker, offset: 12n, headers: { 'penstock-version': '2' } };
    const problem = /dead, partition 2, offset 12: a redrive marker of version "2".*reads 1/;
    assert.throws(() => readMarker(record), { name: 'ConfigError', message: problem });
    const visitor = { onLetter: () => assert.fail(), onDefect: () => assert.fail() };
    assert.throws(() => visitLetter(record, new OffsetRanges(), visitor), problem);
  });
});

describe('redrivenRecord', () => {
  test('counts, and keeps the first time and what describes the record', () => {
    const record = redriven({
      'content-type': 'text/plain',
      'penstock-redriven': '2',
      'penstock-first-seen': '2026-01-01T00:00:00Z',
      'penstock-error': 'x',
      'penstock-path': '/metrics/job/a',
    });
    assert.ok(typeof record === 'object');
    assert.deepEqual([record.topic, record.partition, record.timestamp], ['raw', 3, NOW]);
    assert.deepEqual(
      Object.entries(record.headers).map(([name, value]) => [name, String(value)]),
      [
        ['penstock-redriven', '3'],
        ['penstock-first-seen', '2026-01-01T00:00:00Z'],
        ['content-type', 'text/plain'],
        ['penstock-path', '/metrics/job/a'],
      ],
    );
  });

  test('says why a letter cannot go back', () => {
    assert.equal(redriven({ 'penstock-truncated': '9' }), 'truncated');
    assert.equal(redriven({ 'penstock-headers-left-out': '1' }), 'headers_left_out');
    assert.equal(redriven({ 'penstock-source': 'raw' }), 'no_source');
    assert.equal(redriven({ 'penstock-source': 'raw/4/1' }), 'unknown_topic');
    assert.equal(redriven({ 'penstock-stage': 'deliver' }), 'unknown_topic');
    assert.equal(redriven({}, { value: Buffer.alloc(1_000_000) }), 'too_large');
  });
});

describe('RedrivePlan', () => {
  test('takes what is meant and not named by a marker, up to the limit, and knows what is left', () => {
    const plan = new RedrivePlan();
    const verdicts = ['redrive', 'redrive', 'not_meant', 'again', 'redrive', 'truncated', 'redrive'] as const;
    for (const [at, verdict] of verdicts.entries()) plan.add(0, BigInt(at), verdict);
    const done = new OffsetRanges();
    done.add(0n);
    done.add(2n);
    const { partitions, counts } = plan.finish(new Map([[0, done]]), new Map([[0, 8n]]), 2);
    assert.deepEqual(partitions.get(0), { take: [1n, 4n], firstLeft: 3n, end: 8n });
    assert.deepEqual(counts, { redrive: 2, failedAgain: 1, unredrivable: new Map([['truncated', 1]]) });
  });

  test('leaves alone what was redriven before, unless it is asked for', () => {
    const filter = { reasons: ['snappy'], stages: [], fromMs: NOW, toMs: NOW + 1 };
    const check = () => undefined;
    const first = readLetter(stored({}))!;
    const second = readLetter(stored({ 'penstock-redriven': '1' }))!;
    assert.equal(verdictOn(first, { filter, again: false, check }), 'redrive');
    assert.equal(verdictOn(second, { filter, again: false, check }), 'again');
    assert.equal(verdictOn(second, { filter, again: true, check }), 'redrive');
    assert.equal(
      verdictOn(first, { filter: { ...filter, fromMs: NOW + 1 }, again: false, check }),
      'not_meant',
    );
    assert.equal(verdictOn(first, { filter: { ...filter, toMs: NOW }, again: false, check }), 'not_meant');
    assert.equal(
      verdictOn(first, { filter: { ...filter, reasons: ['x'] }, again: false, check }),
      'not_meant',
    );
  });
});

describe('PartitionRedrive', () => {
  test("one transaction: the records, their marker, and the group's offset up to what is left", async () => {
    const sent: { source: SourceOffsets; records: readonly OutgoingRecord[] }[] = [];
    const send = async (source: SourceOffsets, records: readonly OutgoingRecord[]) => {
      sent.push({ source, records });
    };
    const target = { topic: 'dead', partition: 0, groupId: 'group', nowMs: () => NOW };
    const plan = { take: [1n, 2n, 4n, 6n], firstLeft: 5n, end: 9n };
    const redrive = new PartitionRedrive(target, plan, { send }, () => undefined);
    const record: OutgoingRecord = {
      topic: 'raw',
      partition: 0,
      key: null,
      value: null,
      headers: {},
      timestamp: NOW,
    };
    assert.ok(!redrive.takes(0n));
    assert.ok(redrive.takes(1n));
    await redrive.add(1n, record);
    await redrive.flush();
    // Retention took the letter at 2 in the meantime.
    assert.ok(!redrive.takes(3n));
    assert.ok(redrive.takes(4n));
    await redrive.add(4n, record);
    assert.ok(redrive.takes(6n));
    await redrive.add(6n, record);
    await redrive.flush();
    await redrive.flush();
    assert.deepEqual(
      sent.map(({ source, records }) => [
        source.partitions[0]!.offset,
        records.length,
        String(records.at(-1)!.value),
      ]),
      [
        [2n, 2, '{"redriven":[["1","1"]]}'],
        [5n, 3, '{"redriven":[["4","4"],["6","6"]]}'],
      ],
    );
  });
});
