import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeadContent, encodeDeadLetter } from '../../../../src/core/record/dead-letter.ts';
import { readMarker } from '../../../../src/core/record/redrive-marker.ts';
import { readLetter } from '../../../../src/core/record/stored-letter.ts';
import type { FetchedRecord } from '../../../../src/io/kafka/partition-queue.ts';
import { redrivenRecord } from '../../../../src/services/dead/redriven-record.ts';

const DEAD = { topic: 'dead', partitions: 1, maxMessageBytes: 1_000_000 };
const TARGETS = {
  ingest: new Map([['raw', 8]]),
  tasks: new Map<string, number>(),
  maxMessageBytes: new Map([['raw', 10_000]]),
};

/** The letter of a record with this key, as it is read back. */
function letterOf(key: Buffer | null): FetchedRecord {
  const content: DeadContent = {
    source: { topic: 'raw', partition: 6, offset: 41n, timestamp: 1_700_000_000_000, key },
    stage: 'decode',
    reason: 'snappy',
    message: 'the block is cut off',
    value: Buffer.from('as received'),
    headers: {},
  };
  return { ...encodeDeadLetter(content, DEAD, 1_760_000_000_000), offset: 3n };
}

function redrive(record: FetchedRecord) {
  const redriven = redrivenRecord(readLetter(record)!, TARGETS, 1_760_000_000_000);
  assert.ok(typeof redriven !== 'string', String(redriven));
  return redriven;
}

test('a redriven record has the key that it came with', () => {
  assert.deepEqual(redrive(letterOf(Buffer.from('host-7'))).key, Buffer.from('host-7'));
  assert.equal(redrive(letterOf(null)).key, null);
});

test('a record whose key was too long for its letter is redriven without one', () => {
  const record = redrive(letterOf(Buffer.alloc(5_000)));
  assert.equal(record.key, null);
  assert.equal(record.headers['penstock-key-left-out'], undefined);
});

test('the key counts in what the ingest topic takes', () => {
  const large = { ...letterOf(Buffer.alloc(4_000)), value: Buffer.alloc(6_000) };
  assert.equal(redrivenRecord(readLetter(large)!, TARGETS, 0), 'too_large');
});

test('a letter whose record had the key of a marker is no marker', () => {
  const letter = letterOf(Buffer.from('penstock-redriven'));
  const value = Buffer.from(JSON.stringify({ redriven: [['0', '9']] }));
  assert.equal(readMarker({ ...letter, value }), undefined);
});

test('a letter that does not say when it failed first gets that time when it fails again', () => {
  const { 'penstock-first-seen': _, ...headers } = letterOf(null).headers;
  const redriven = redrivenRecord(readLetter({ ...letterOf(null), headers })!, TARGETS, 0);
  assert.ok(typeof redriven === 'object' && !('penstock-first-seen' in redriven.headers));
});
