import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DecodedMessage } from '../../../../../src/io/kafka/patch/record-batch.ts';
import { crc32c } from '../../../../../src/io/kafka/patch/record-batch.ts';
import {
  copyRecordSet,
  faultOf,
  fetchedBytes,
  memoryOf,
  type OriginalFormats,
  readRecordSet,
  releasingResponse,
  type SetDemand,
  takeUnread,
} from '../../../../../src/io/kafka/patch/record-set.ts';

/** kafkajs as it is published: nothing in this process has put the replacements into the module cache. */
const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder') as OriginalFormats['Decoder'];
const original =
  require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as OriginalFormats['decodeMessages'];
const { lookupCodecByAttributes } = require('kafkajs/src/protocol/message/compression');
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<{ buffer: Buffer }>;
};
const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => unknown;

const formats = { decodeMessages: original, Decoder, lookupCodec: lookupCodecByAttributes };
const ALL: SetDemand = {
  from: 0n,
  highWatermark: 2n ** 62n,
  bytes: Number.POSITIVE_INFINITY,
  firstBytes: Number.POSITIVE_INFINITY,
};

/** What is read of a response at the decoder's position. */
async function read(decoder: ReturnType<typeof at6>, demand: Partial<SetDemand> = {}) {
  const messages = await copyRecordSet(decoder);
  const set = takeUnread(messages);
  if (set === undefined) return { messages, next: demand.from ?? 0n, isHeldBack: false };
  return await readRecordSet(set, { ...ALL, ...demand }, formats);
}

const decode = async (decoder: ReturnType<typeof at6>, demand: Partial<SetDemand> = {}) =>
  (await read(decoder, demand)).messages;

const GZIP = 1;
const CONTROL = 0x20;
const LOG_APPEND_TIME = 0x08;

const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
const text = fc.string({ maxLength: 12, unit: 'binary' });
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestampDelta: fc
    .oneof(fc.integer(), fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }))
    .map(String),
  offsetDelta: fc.nat(10_000),
  headers: fc.dictionary(text, fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })), {
    maxKeys: 3,
  }),
});
const batch = fc.record({
  compression: fc.constantFrom(0, 0, GZIP),
  flags: fc.constantFrom(0, 0, CONTROL, LOG_APPEND_TIME),
  transactional: fc.boolean(),
  firstOffset: fc.oneof(fc.nat(), fc.maxSafeInteger().map(Math.abs)),
  firstTimestamp: fc.integer({ min: -1, max: 2_000_000_000_000 }),
  maxTimestamp: fc.nat(2_000_000_000),
  producerId: fc.integer({ min: -1, max: 2 ** 31 }),
  records: fc.array(record, { maxLength: 5 }),
});

interface BatchSpec {
  readonly compression: number;
  readonly flags: number;
  readonly transactional: boolean;
  readonly firstOffset: number;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly records: readonly { readonly offsetDelta: number }[];
}

async function encoded({ flags, records, ...rest }: BatchSpec): Promise<Buffer> {
  // In order, as brokers make sure of it.
  const deltas = [...new Set(records.map(({ offsetDelta }) => offsetDelta))].sort((a, b) => a - b);
  const encodedRecords = deltas.map((offsetDelta, at) => Record({ ...records[at], offsetDelta }));
  const { buffer } = await RecordBatch({ ...rest, records: encodedRecords });
  buffer[22]! |= flags;
  buffer.writeInt32BE(deltas.at(-1) ?? 0, 23);
  return sealed(buffer);
}

/** The batch with the checksum of what it holds now. */
function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

function fetched(set: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(set.length);
  return Buffer.concat([Buffer.from('before'), size, set, Buffer.from('after')]);
}

function at6(response: Buffer) {
  const decoder = new Decoder(response);
  decoder.readBytes(6);
  return decoder;
}

/** A message without what nobody asks for. */
function essential({
  offset,
  timestamp,
  key,
  value,
  headers,
  isControlRecord,
  batchContext,
}: DecodedMessage) {
  const { producerId, inTransaction } = batchContext;
  // Of several of a name kafkajs has a list; a name that it loses is not what is compared.
  const last = Object.entries(headers)
    .filter(([name]) => name !== '__proto__')
    .map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]);
  return { offset, timestamp, key, value, last, isControlRecord, producerId, inTransaction };
}

test('records are what kafkajs reads, in every batch that is whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 4 }), fc.nat(70), async (batches, cutOff) => {
      const set = Buffer.concat(await Promise.all(batches.map(encoded)));
      const left = Math.max(0, set.length - cutOff);
      fc.pre(left === 0 || left > 16); // kafkajs throws there
      const response = fetched(set.subarray(0, left));
      const [plain, fast] = [at6(Buffer.from(response)), at6(response)];
      const expected = (await original(plain)).map(essential);
      const got = await decode(fast);
      const after = fast.readBytes(5);
      response.fill(0xee); // the response's memory is used again
      assert.deepEqual(got.map(essential), expected);
      assert.equal(after.length, 5);
    }),
    { numRuns: 300 },
  );
});

test('records that are not compressed lie in one piece of memory of their own, compressed ones do not', async () => {
  const one = { key: null, value: Buffer.from('v'), timestampDelta: 0, offsetDelta: 0, headers: {} };
  const base = {
    flags: 0,
    transactional: false,
    firstOffset: 1,
    firstTimestamp: 1,
    maxTimestamp: 1,
    producerId: 1,
  };
  const plain = await encoded({ ...base, compression: 0, records: [one, { ...one, offsetDelta: 1 }] });
  const messages = await decode(at6(fetched(plain)));
  const memory = memoryOf(messages)!;
  for (const { value } of messages) assert.equal(value!.buffer, memory.buffer);
  const packed = await encoded({ ...base, compression: GZIP, records: [one] });
  assert.equal(memoryOf(await decode(at6(fetched(packed)))), undefined);
  assert.equal(fetchedBytes(messages), plain.length);
  assert.equal(fetchedBytes(await decode(at6(fetched(packed)))), packed.length);
});

test('a record set that is not even the beginning of a batch has no records', async () => {
  assert.deepEqual(await decode(at6(fetched(Buffer.alloc(16)))), []);
});

test("a record set older than Kafka's 0.11 goes to kafkajs", async () => {
  const MessageSet = require('kafkajs/src/protocol/messageSet') as (set: object) => { buffer: Buffer };
  const entries = [{ key: 'k', value: 'v', timestamp: 5 }];
  const { buffer } = MessageSet({ messageVersion: 1, entries });
  const messages = await decode(at6(fetched(buffer)));
  assert.deepEqual(
    messages.map(({ value }) => String(value)),
    ['v'],
  );
  assert.equal(memoryOf(messages), undefined);
});

const PLAIN = {
  flags: 0,
  compression: 0,
  transactional: false,
  firstOffset: 7,
  firstTimestamp: 1,
  maxTimestamp: 1,
  producerId: 1,
};
const hello = { key: null, value: Buffer.from('hello'), timestampDelta: 0, offsetDelta: 0, headers: {} };

/** What is read of a good batch and, behind it, one of two records that `damage` has been at. */
async function readDamaged(damage: (batch: Buffer) => void, compression = 0) {
  const good = await encoded({ ...PLAIN, records: [hello] });
  const bad = await encoded({
    ...PLAIN,
    firstOffset: 8,
    compression,
    records: [hello, { ...hello, offsetDelta: 1 }],
  });
  damage(bad);
  const alone = await decode(at6(fetched(bad)));
  assert.equal(alone.length, 0);
  const behind = await decode(at6(fetched(Buffer.concat([good, bad]))));
  assert.deepEqual(
    behind.map(({ value }) => String(value)),
    ['hello'],
  );
  assert.equal(faultOf(behind), undefined, 'what is before it comes first');
  const met = await decode(at6(fetched(Buffer.concat([good, bad]))), { from: 8n });
  assert.equal(faultOf(met)?.message, faultOf(alone)?.message);
  return faultOf(alone)?.message;
}

test('a batch of which one bit has changed is not read, and what comes before it is', async () => {
  for (const [byte, reason] of [
    [70, /checksum/],
    [60, /checksum/],
    [16, /format/],
    [18, /checksum/],
  ] as const) {
    const message = await readDamaged((batch) => (batch[byte]! ^= 0x40));
    assert.match(message!, /^the record batch at offset 8: /);
    assert.match(message!, reason);
  }
});

const BAD_LENGTHS: Record<string, (batch: Buffer) => void> = {
  'a value longer than its record': (batch) => (batch[batch.indexOf('hello') - 1] = 2 * 40),
  'a record longer than its batch': (batch) => (batch[61] = 2 * 60),
  'a record of negative length': (batch) => (batch[61] = 2 * 20 - 1),
  'more headers than there are bytes': (batch) => (batch[batch.indexOf('hello') + 5] = 2 * 50),
  'more records than there are bytes': (batch) => batch.writeInt32BE(2 ** 31 - 1, 57),
  'a negative number of records': (batch) => batch.writeInt32BE(-1, 57),
};

for (const [name, damage] of Object.entries(BAD_LENGTHS)) {
  test(`whoever has written it, its lengths are held against what there is: ${name}`, async () => {
    const message = await readDamaged((batch) => {
      damage(batch);
      sealed(batch);
    });
    assert.match(message!, /^the record batch at offset 8: .*(pass|bytes)/);
  });
}

test('a batch of negative length does not make the reader go back', async () => {
  const message = await readDamaged((batch) => batch.writeInt32BE(-12 - 66, 8));
  assert.equal(message, 'the record batch at offset 8: its length is -78');
});

test('a first batch that says it is longer than what was fetched is not waited for in silence', async () => {
  const batch = await encoded({ ...PLAIN, records: [hello] });
  batch.writeInt32BE(1_000_000, 8);
  assert.match(faultOf(await decode(at6(fetched(batch))))!.message, /1000012 bytes, and \d+ were fetched/);
});

test('a batch that cannot be decompressed is one that cannot be read', async () => {
  const message = await readDamaged((batch) => sealed(batch.fill(0xee, 61)), GZIP);
  assert.match(message!, /^the record batch at offset 8: .*header/);
});

test('the memory of a response is given back once it is decoded', async () => {
  const payload = Buffer.allocUnsafeSlow(100);
  const format = { decode: async (bytes: Buffer) => bytes.length };
  assert.equal(await releasingResponse(format).decode(payload), 100);
  assert.equal(payload.length, 0);
});
