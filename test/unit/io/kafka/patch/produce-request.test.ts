import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRequest, encodeProduce } from '../../../../../src/io/kafka/patch/produce-request.ts';
import { crc32c } from '../../../../../src/io/kafka/patch/record-batch.ts';
import type { ProduceArguments } from '../../../../../src/io/kafka/patch/types.ts';

/** kafkajs as it is published: nothing in this process has put the replacements into the module cache. */
const require = createRequire(import.meta.url);
const original = require('kafkajs/src/protocol/requests/produce/v3/request') as (args: ProduceArguments) => {
  encode(): Promise<{ buffer: Buffer }>;
};
const originalRequest = require('kafkajs/src/protocol/request') as typeof createRequest;
const originalCrc = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const message = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.oneof(bytes, fc.string({ unit: 'binary' })),
    {
      maxKeys: 4,
    },
  ),
  timestamp: fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }).map(String),
});
const produceArguments: fc.Arbitrary<ProduceArguments> = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(60_000),
  transactionalId: fc.option(fc.string({ maxLength: 20 }), { nil: null }),
  producerId: fc.bigInt({ min: -1n, max: 2n ** 40n }).map(String),
  producerEpoch: fc.nat(30_000),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 20 }),
      partitions: fc.array(
        fc.record({
          partition: fc.nat(1000),
          firstSequence: fc.nat(1_000_000),
          messages: fc.array(message, { minLength: 1, maxLength: 5 }),
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 3 },
  ),
});

test('a Produce request is byte for byte what kafkajs writes', async () => {
  await fc.assert(
    fc.asyncProperty(produceArguments, async (args) => {
      // kafkajs takes the first of the timestamps sorted as text; all have 13 digits here, so the order is the same.
      const expected = (await original(args).encode()).buffer;
      assert.deepEqual(Buffer.from(encodeProduce(args, crc32c).buffer), Buffer.from(expected));
    }),
    { numRuns: 300 },
  );
});

test('a whole request is byte for byte what kafkajs writes, with and without room in front of the body', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ maxLength: 600 }),
      fc.nat(2 ** 31 - 1),
      bytes,
      async (clientId, correlationId, body) => {
        const plain = { apiKey: 3, apiVersion: 5, encode: async () => ({ buf: body, buffer: body }) };
        const expected = (await originalRequest({ correlationId, clientId, request: plain })).buffer;
        assert.deepEqual((await createRequest({ correlationId, clientId, request: plain })).buffer, expected);
        const whole = Buffer.concat([Buffer.alloc(512, 0xee), body]);
        const roomy = { ...plain, encode: async () => ({ whole, buffer: whole.subarray(512) }) };
        assert.deepEqual(
          Buffer.from((await createRequest({ correlationId, clientId, request: roomy })).buffer),
          Buffer.from(expected),
        );
      },
    ),
  );
});

test('the native checksum equals the plain one', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 5000 }),
      (array) => crc32c(Buffer.from(array)) === originalCrc(Buffer.from(array)),
    ),
  );
});
