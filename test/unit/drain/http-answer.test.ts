import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type HttpAnswer, HttpAnswerReader } from '../../../src/drain/http-answer.ts';

const lines = (...all: string[]) => all.join('\r\n');

interface Case {
  readonly name: string;
  readonly wire: string;
  readonly expected: Partial<HttpAnswer>;
  /** The answer ends with the connection. */
  readonly closed?: boolean;
}

const CASES: Case[] = [
  {
    name: 'without a body',
    wire: lines('HTTP/1.1 204 No Content', 'X-Server-Hostname: vm', '', ''),
    expected: { status: 204, text: '', reusable: true, retryAfter: undefined },
  },
  {
    name: 'with a length',
    wire: lines('HTTP/1.1 429 Too Many Requests', 'CONTENT-LENGTH: 4', 'retry-after:  7 ', '', 'slow'),
    expected: { status: 429, text: 'slow', retryAfter: '7', reusable: true },
  },
  {
    name: 'with the length 0',
    wire: lines('HTTP/1.1 200 OK', 'Content-Length: 0', '', ''),
    expected: { status: 200, text: '', reusable: true },
  },
  {
    name: 'in chunks, with an extension and trailers',
    wire: lines(
      'HTTP/1.1 400 Bad Request',
      'Transfer-Encoding: chunked',
      '',
      '5;name=value',
      'wro\r\n',
      'A',
      'ng samples',
      '000',
      'X-Trailer: 1',
      '',
      '',
    ),
    expected: { status: 400, text: 'wro\r\nng samples', reusable: true },
  },
  {
    name: 'after an interim answer',
    wire: lines('HTTP/1.1 100 Continue', '', 'HTTP/1.1 204', '', ''),
    expected: { status: 204, reusable: true },
  },
  {
    name: 'that ends the connection',
    wire: lines('HTTP/1.1 503 Away', 'Connection: Close', 'Content-Length: 2', '', 'no'),
    expected: { status: 503, text: 'no', reusable: false },
  },
  {
    name: 'that ends with the connection',
    wire: lines('HTTP/1.1 500 Oh', '', 'cut when it is over'),
    expected: { status: 500, text: 'cut when it is over', reusable: false },
    closed: true,
  },
  {
    name: 'of HTTP/1.0',
    wire: lines('HTTP/1.0 200 OK', 'Content-Length: 2', '', 'ok'),
    expected: { status: 200, text: 'ok', reusable: false },
  },
  {
    name: 'with more behind it than belongs to it',
    wire: lines('HTTP/1.1 204 No Content', '', 'HTTP/1.1 204 No Content'),
    expected: { status: 204, reusable: false },
  },
];

function read(wire: Buffer, cuts: readonly number[], closed: boolean): HttpAnswer | undefined {
  const reader = new HttpAnswerReader();
  const memory = Buffer.alloc(wire.length);
  for (let at = 0, turn = 0; at < wire.length; turn++) {
    const taken = wire.copy(memory, 0, at, at + cuts[turn % cuts.length]!);
    const answer = reader.push(memory.subarray(0, taken));
    memory.fill('?');
    if (answer !== undefined) return answer;
    at += taken;
  }
  return closed ? reader.end() : undefined;
}

describe('an answer', () => {
  for (const { name, wire, expected, closed = false } of CASES) {
    test(name, () => {
      const bytes = Buffer.from(wire);
      assert.partialDeepStrictEqual(read(bytes, [bytes.length], closed), expected);
      const { reusable, ...rest } = expected;
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (cuts) => {
          // Cut up, what is too much may come only after the answer.
          assert.partialDeepStrictEqual(read(bytes, cuts, closed), rest);
        }),
      );
    });
  }

  test('that is cut off is none', () => {
    for (const { wire, closed = false } of CASES.slice(0, 4)) {
      const bytes = Buffer.from(wire);
      assert.equal(read(bytes.subarray(0, -1), [bytes.length], !closed), undefined);
    }
  });

  test('keeps only the beginning of a long body', () => {
    const body = 'x'.repeat(100_000);
    const answer = read(
      Buffer.from(lines('HTTP/1.1 500 Oh', 'Content-Length: 100000', '', body)),
      [30_000],
      false,
    );
    assert.equal(answer?.text, body.slice(0, 8192));
    assert.equal(answer?.reusable, true);
  });

  for (const [name, wire] of [
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['another protocol from here on', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n'],
    ['a head without an end', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`],
  ] as const) {
    test(`${name}: an error`, () => {
      assert.throws(() => read(Buffer.from(wire), [wire.length], false), /the answer/);
    });
  }
});
