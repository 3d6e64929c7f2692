import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type DeadContent, encodeDeadLetter } from '../../../../src/core/record/dead-letter.ts';

const DEAD = { topic: 'dead', partitions: 4, maxMessageBytes: 1_000_000 };
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

function content(changes: Partial<DeadContent> = {}): DeadContent {
  return {
    source: { topic: 'raw', partition: 6, offset: 41n, timestamp: 1_700_000_000_000 },
    stage: 'decode',
    reason: 'snappy',
    message: 'the block is cut off',
    value: Buffer.from('as received'),
    headers: { 'content-type': 'application/x-protobuf', empty: undefined, none: null },
    ...changes,
  };
}

describe('encodeDeadLetter', () => {
  test('holds the record as received, the reason and the source', () => {
    assert.deepEqual(encodeDeadLetter(content(), DEAD, NOW), {
      topic: 'dead',
      partition: 2,
      key: null,
      value: Buffer.from('as received'),
      timestamp: NOW,
      headers: {
        'content-type': 'application/x-protobuf',
        'penstock-first-seen': '2026-01-02T03:04:05.006Z',
        'penstock-timestamp': '1700000000000',
        none: null,
        'penstock-error': 'the block is cut off',
        'penstock-stage': 'decode',
        'penstock-reason': 'snappy',
        'penstock-source': 'raw/6/41',
      },
    });
  });

  test('keeps the time of the first failure of what fails again, and replaces the reason', () => {
    const headers = { 'penstock-first-seen': '2025-12-31T00:00:00.000Z', 'penstock-reason': 'old' };
    const again = encodeDeadLetter(content({ headers }), DEAD, NOW);
    assert.equal(again.headers['penstock-first-seen'], '2025-12-31T00:00:00.000Z');
    assert.equal(again.headers['penstock-reason'], 'snappy');
  });

  test('keeps headers of any name, and takes one without a value for none where it has one of its own', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const headers = Object.fromEntries([
      ...names.map((name) => [name, Buffer.from(name)] as const),
      ['penstock-first-seen', null],
      ['penstock-timestamp', null],
      ['penstock-truncated', Buffer.from('7')],
    ]);
    const dead = encodeDeadLetter(content({ headers }), DEAD, NOW);
    const entries = new Map(Object.entries(dead.headers));
    for (const name of names) assert.equal(String(entries.get(name)), name);
    assert.equal(entries.get('penstock-first-seen'), '2026-01-02T03:04:05.006Z');
    assert.equal(entries.get('penstock-timestamp'), '1700000000000');
    assert.equal(entries.get('penstock-truncated'), undefined, 'it was not cut');
  });

  test('keeps the key; of one that is too long it says how long it was', () => {
    const of = (key: Buffer | null) =>
      encodeDeadLetter(content({ source: { ...content().source, key } }), DEAD, NOW);
    const key = Buffer.alloc(4096, 'k');
    assert.deepEqual(of(key).key, key);
    assert.equal(of(key).headers['penstock-key-left-out'], undefined);
    assert.deepEqual(of(Buffer.alloc(0)).key, Buffer.alloc(0));
    const long = of(Buffer.alloc(4097));
    assert.equal(long.key, null);
    assert.equal(long.headers['penstock-key-left-out'], '4097');
    const stale = content({ headers: { 'penstock-key-left-out': '9' } });
    assert.equal(encodeDeadLetter(stale, DEAD, NOW).headers['penstock-key-left-out'], undefined);
  });

  test('says how long a value was that it had to cut, and nothing of the kind when it fits', () => {
    const { value, headers } = encodeDeadLetter(content({ value: Buffer.alloc(3_000_000, 'v') }), DEAD, NOW);
    assert.equal(headers['penstock-truncated'], '3000000');
    assert.ok(value!.length < DEAD.maxMessageBytes);
    assert.equal(encodeDeadLetter(content({ value: null }), DEAD, NOW).value, null);
  });

  test('fits into its topic whatever it is given', () => {
    const anything = fc.record({
      value: fc.nat(200_000).map((length) => Buffer.alloc(length)),
      message: fc.string({ maxLength: 5000 }),
      headers: fc.dictionary(
        fc.string({ maxLength: 50 }),
        fc.nat(20_000).map((length) => Buffer.alloc(length)),
      ),
      maxMessageBytes: fc.integer({ min: 17_000, max: 100_000 }),
    });
    fc.assert(
      fc.property(anything, ({ value, message, headers, maxMessageBytes }) => {
        const dead = encodeDeadLetter(
          content({ value, message, headers }),
          { ...DEAD, maxMessageBytes },
          NOW,
        );
        let bytes = dead.value!.length;
        for (const [name, text] of Object.entries(dead.headers))
          bytes += Buffer.byteLength(name) + Buffer.byteLength(text ?? '');
        assert.ok(bytes + 500 < maxMessageBytes);
        const leftOut = Number(dead.headers['penstock-headers-left-out'] ?? 0);
        const kept = Object.keys(headers).filter((name) => Object.hasOwn(dead.headers, name)).length;
        assert.equal(kept + leftOut, Object.keys(headers).length);
      }),
    );
  });

  test('in a topic for small records keeps the reason without the value', () => {
    const dead = encodeDeadLetter(content(), { ...DEAD, maxMessageBytes: 10_000 }, NOW);
    assert.equal(dead.value!.length, 0);
    assert.equal(dead.headers['penstock-truncated'], '11');
  });
});
