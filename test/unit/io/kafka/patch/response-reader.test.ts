import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ResponseReader } from '../../../../../src/io/kafka/patch/response-reader.ts';

interface Answer {
  readonly correlationId: number;
  readonly payload: Buffer;
}

function framed({ correlationId, payload }: Answer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + payload.length, 0);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, payload]);
}

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  // Large enough for memory that is lent.
  fc.integer({ min: 60_000, max: 140_000 }).map((length) => new Uint8Array(length).fill(length)),
);
const answers = fc.array(
  fc
    .tuple(fc.nat(2 ** 31 - 1), payload)
    .map(([correlationId, bytes]) => ({ correlationId, payload: Buffer.from(bytes) })),
  { minLength: 1, maxLength: 6 },
);

test('answers come out as they went in, however a socket cuts them, and from memory that it uses again', () => {
  fc.assert(
    fc.property(answers, fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map(framed));
      const socketMemory = Buffer.alloc(90_000);
      const reader = new ResponseReader();
      const got: Answer[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const taken = stream.copy(socketMemory, 0, at, at + cuts[turn % cuts.length]!);
        reader.push(socketMemory.subarray(0, taken), ({ size, ...answer }) => {
          assert.equal(size, 4 + answer.payload.length);
          got.push(answer);
        });
        socketMemory.fill(0xee);
        at += taken;
      }
      assert.deepEqual(got, sent);
    }),
    { numRuns: 200 },
  );
});

test('what cannot be an answer of Kafka is an error', () => {
  const size = Buffer.alloc(8);
  size.writeInt32BE(3);
  assert.throws(() => new ResponseReader().push(size, () => assert.fail()), /is this a Kafka broker/);
});

test('a size alone takes no memory to speak of', () => {
  const reader = new ResponseReader();
  const before = process.memoryUsage().arrayBuffers;
  reader.push(Buffer.from('HTTP/1.1 400 Bad Request'), () => assert.fail());
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
});
