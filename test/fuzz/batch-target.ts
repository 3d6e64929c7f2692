import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { encodeDeadLetter } from '../../src/core/record/dead-letter.ts';
import { registerCodecs } from '../../src/io/kafka/client/codecs.ts';
import { copyRecords } from '../../src/io/kafka/copy-records.ts';
import { recordBytes } from '../../src/io/kafka/partition-queue.ts';
import type { DecodedMessage } from '../../src/io/kafka/patch/record-batch.ts';
import { faultOf, type OriginalFormats, readRecordSet } from '../../src/io/kafka/patch/record-set.ts';
import { GZIP, type RawBatch, rawBatch, rawRecords, SNAPPY, sealed, ZSTD } from '../support/raw-batch.ts';
import type { FuzzRun } from './check.ts';

const require = createRequire(import.meta.url);
registerCodecs();
const formats: OriginalFormats = {
  decodeMessages: async () => {
    throw new Error('an old format');
  },
  Decoder: require('kafkajs/src/protocol/decoder'),
  lookupCodec: require('kafkajs/src/protocol/message/compression').lookupCodecByAttributes,
};

/** Bytes of records that are read at once, as where a queue is nearly full. */
const PART_BYTES = 50_000;
/** Milliseconds that a set of less than 100 KiB may take, on a machine that others use too. */
const MOST_MS = 2_000;

const HIGH_WATERMARK = 10_000_000n;

const NAMES = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'content-type', 'Content-Type', ''];
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const name = fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 5 }), bytes);
const headers = fc.array(fc.tuple(name, fc.option(bytes)), { maxLength: 6 });
const many = fc
  .tuple(name, fc.nat(3_000))
  .map(([text, count]) =>
    Array.from({ length: count }, (_, index) => [text, Buffer.from(`${index}`)] as const),
  );
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(
    fc.oneof(
      bytes,
      fc.nat(2_000).map((size) => Buffer.alloc(size)),
    ),
  ),
  headers: fc.oneof({ weight: 9, arbitrary: headers }, { weight: 1, arbitrary: many }),
  timestampDelta: fc.oneof(fc.nat(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
});
function rarely<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

const batch = fc.record({
  records: fc.array(record, { maxLength: 6 }),
  empty: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(2_000) }),
  codec: fc.constantFrom(0, 0, 0, GZIP, ZSTD, ZSTD, SNAPPY, 5),
  frames: fc.boolean(),
  count: rarely(fc.integer({ min: -1, max: 20 })),
  lastOffsetDelta: rarely(fc.oneof(fc.integer(), fc.integer({ min: -2, max: 10 }))),
  firstTimestamp: fc.oneof(fc.constantFrom(-1n, 0n, 2n ** 63n - 1n, -(2n ** 63n)), fc.bigInt(0n, 2n ** 42n)),
  attributes: fc.constantFrom(0, 0, 8, 0x10, 0x20),
  /** Positions and bytes that are changed in it, before the checksum is made, or after. */
  changes: fc.oneof(
    { weight: 3, arbitrary: fc.constant<[number, number][]>([]) },
    { weight: 1, arbitrary: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }) },
  ),
  isSealed: fc.oneof(
    { weight: 9, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
});
type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;

function encode(spec: Batch, baseOffset: bigint): Buffer {
  const { records, empty, codec, frames, changes, isSealed } = spec;
  const all = [...records, ...Array.from({ length: empty }, () => ({}))];
  const plain = rawRecords(all);
  const half = plain.length >> 1;
  const pieces = frames ? [plain.subarray(0, half), plain.subarray(half)] : [plain];
  const body =
    codec === ZSTD
      ? Buffer.concat(pieces.map((piece) => zstdCompressSync(piece)))
      : codec === GZIP
        ? Buffer.concat(pieces.map((piece) => gzipSync(piece)))
        : plain;
  const raw: RawBatch = { ...definedOf(spec), body, codec, baseOffset, count: spec.count ?? all.length };
  const made = rawBatch(raw);
  // The length is the broker's own: it finds the next batch by it.
  for (const [at, byte] of changes) made[12 + (at % (made.length - 12))] = byte;
  return isSealed ? sealed(made) : made;
}

function definedOf({ lastOffsetDelta, firstTimestamp, attributes }: Batch) {
  return {
    attributes,
    ...(lastOffsetDelta !== undefined && { lastOffsetDelta }),
    ...(firstTimestamp !== undefined && { firstTimestamp }),
  };
}

/** What a run saw. */
export interface BatchFuzzResult {
  readonly read: number;
  readonly faults: number;
}

/**
 * Reads record sets, byte by byte as no client writes them, as a consumer does: from an offset, in parts, passing over what
 * cannot be read. Nothing may be thrown; each part goes on; offsets ascend; what is read in parts is what is read at once;
 * records take no more than they may; and each can be made a dead letter. Throws where that does not hold.
 */
export async function fuzzBatches({ runs, seed }: FuzzRun): Promise<BatchFuzzResult> {
  const seen = { read: 0, faults: 0 };
  const property = fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (specs) => {
    let next = 100n;
    const encoded = specs.map((spec) => {
      const made = encode(spec, next);
      next += BigInt(spec.records.length + spec.empty + 1);
      return made;
    });
    const set = Buffer.concat(encoded);
    const started = performance.now();
    const whole = await readAll(set, Number.POSITIVE_INFINITY);
    const parts = await readAll(set, PART_BYTES);
    const ms = performance.now() - started;
    assert.ok(ms < MOST_MS, `${ms} ms for ${set.length} bytes`);
    assert.deepEqual(parts.offsets, whole.offsets);
    assert.equal(parts.faults, whole.faults);
    seen.read += whole.offsets.length;
    seen.faults += whole.faults;
  });
  await fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) });
  return seen;
}

async function readAll(set: Buffer, partBytes: number): Promise<{ offsets: string[]; faults: number }> {
  const offsets: string[] = [];
  let faults = 0;
  for (let from = 100n, rounds = 0; ; rounds++) {
    assert.ok(
      rounds < 20_000,
      `still at ${from} of a set of ${set.length} bytes, ${faults} faults, ${offsets.length} records`,
    );
    const demand = {
      from,
      highWatermark: HIGH_WATERMARK,
      bytes: partBytes,
      firstBytes: Number.POSITIVE_INFINITY,
    };
    const { messages, next, isHeldBack } = await readRecordSet(Buffer.from(set), demand, formats);
    assert.equal(isHeldBack, false);
    const fault = faultOf(messages);
    if (fault !== undefined) {
      faults += 1;
      assert.equal(messages.length, 0);
      assert.ok(fault.batch!.nextOffset > from, 'a fault that is not passed');
      from = fault.batch!.nextOffset;
      if (from >= HIGH_WATERMARK) return { offsets, faults };
      continue;
    }
    if (next === from || from >= HIGH_WATERMARK) return { offsets, faults };
    assert.ok(next > from, 'the reader goes back');
    checkRecords(messages, from, partBytes);
    offsets.push(...messages.map(({ offset }) => offset));
    from = next;
  }
}

function checkRecords(messages: readonly DecodedMessage[], from: bigint, partBytes: number): void {
  const batch = {
    topic: 't',
    partition: 0,
    fetchedOffset: String(from),
    highWatermark: '1',
    messages,
    rawMessages: messages,
    lastOffset: () => '',
  };
  let last = from - 1n;
  let taken = 0;
  for (const record of copyRecords(batch)) {
    assert.ok(record.offset > last, 'offsets do not ascend');
    last = record.offset;
    taken += recordBytes(record);
    assert.equal(Object.getPrototypeOf(record.headers), null);
    assert.ok(Number.isSafeInteger(record.timestamp));
    const content = { source: record, stage: 'decode', reason: 'r', message: 'm', ...record } as const;
    const dead = encodeDeadLetter(content, { topic: 'd', partitions: 1, maxMessageBytes: 1 << 20 }, 0);
    const size = Object.entries(dead.headers).reduce(
      (sum, [key, text]) => sum + key.length + (text?.length ?? 0),
      0,
    );
    assert.ok(size < 16 * 1024);
  }
  assert.ok(messages.length <= 1 || taken <= partBytes, `${taken} bytes of records`);
}
