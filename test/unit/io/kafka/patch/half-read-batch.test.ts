import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type OriginalFormats, readRecordSet } from '../../../../../src/io/kafka/patch/record-set.ts';
import { rawBatch, rawRecords, sealed, ZSTD } from '../../../../support/raw-batch.ts';

const COUNT = 2_000;
const PART_BYTES = 40_000;

/** A batch of small records, each with its number and a letter. */
function batchOf(letter: string): Buffer {
  const records = Array.from({ length: COUNT }, (_, at) => ({ value: `${letter}${at}` }));
  const body = zstdCompressSync(rawRecords(records));
  return sealed(rawBatch({ body, codec: ZSTD, baseOffset: 0n, count: COUNT }));
}

/** Reads from `from` on, as much as a part takes; counts how often something is decompressed. */
function reader() {
  const read = { decompressed: 0, part };
  const formats: OriginalFormats = {
    decodeMessages: async () => [],
    Decoder: createRequire(import.meta.url)('kafkajs/src/protocol/decoder'),
    lookupCodec: () => ({
      decompress: async (data) => {
        read.decompressed++;
        return zstdDecompressSync(data);
      },
    }),
  };
  async function part(set: Buffer, from: bigint, bytes = PART_BYTES) {
    const demand = { from, highWatermark: BigInt(COUNT), bytes, firstBytes: Number.POSITIVE_INFINITY };
    const { messages, next } = await readRecordSet(Buffer.from(set), demand, formats);
    return { values: messages.map(({ value }) => String(value)), next };
  }
  return read;
}

const all = (letter: string) => Array.from({ length: COUNT }, (_, at) => `${letter}${at}`);

test('a batch that is read in parts is decompressed once', async () => {
  const set = batchOf('a');
  const read = reader();
  const values: string[] = [];
  let parts = 0;
  for (let from = 0n; from < COUNT; parts++) {
    const { values: found, next } = await read.part(set, from);
    values.push(...found);
    from = next;
  }
  assert.deepEqual(values, all('a'));
  assert.ok(parts > 5, `${parts} parts`);
  assert.equal(read.decompressed, 1);
});

test('what is kept is of the very same batch, and begins where it is asked for', async () => {
  const read = reader();
  const [a, b] = [batchOf('a'), batchOf('b')];
  const first = await read.part(a, 0n);
  // Another batch with the same offsets, as another partition may have it.
  const other = await read.part(b, first.next);
  assert.equal(other.values[0], `b${first.next}`);
  const rest = await read.part(a, first.next, Number.POSITIVE_INFINITY);
  assert.deepEqual([...first.values, ...rest.values], all('a'));
  // Back, as after a rebalance; and over some records, as after a skip.
  await read.part(b, 500n);
  assert.equal((await read.part(b, 3n)).values[0], 'b3');
  assert.equal((await read.part(b, 700n)).values[0], 'b700');
});
