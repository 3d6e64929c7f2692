import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { AssignedPartition } from '../../../src/kafka/assigned-partition.ts';
import { KafkaSetupError } from '../../../src/kafka/errors.ts';
import { type OffsetGap, runSessions } from '../../../src/kafka/partition-session.ts';
import type { CommittedStart } from '../../../src/kafka/start-offset.ts';
import { DefectError, orDefect, RetryableError } from '../../../src/model/errors.ts';

interface Line {
  readonly error?: string;
  readonly retryInMs: number;
  readonly err?: { readonly stack: string };
}

const GROUP = { pause() {}, resume() {}, seek() {}, queueShare: () => 1, fetchShare: () => 1 };
const BEHIND = Object.assign(new Error('behind'), { type: 'ILLEGAL_GENERATION' });

/** Runs sessions whose work fails with one error after the other, and then drains the partition. */
async function fail(...errors: unknown[]): Promise<Line[]> {
  return (await failBehind(undefined, errors)).lines;
}

/** The same where each session finds that records are missing before its beginning. */
async function failBehind(
  gap: CommittedStart['gap'],
  errors: readonly unknown[],
): Promise<{ lines: Line[]; gaps: OffsetGap[] }> {
  const gaps: OffsetGap[] = [];
  const lines: Line[] = [];
  const log = pino({ level: 'debug' }, { write: (text) => void lines.push(JSON.parse(text)) });
  const partition = new AssignedPartition('t', 0, { generationId: 1, memberId: 'm' }, GROUP);
  const left = [...errors];
  await runSessions<undefined>(partition, {
    reader: {
      confirmOwnership: async () => undefined,
      startOffset: async () => ({ offset: 0n, gap, note: undefined }),
    },
    log,
    open: async () => undefined,
    close: async () => undefined,
    work: async (_partition, _resource, progressed) => {
      if (left.length === 0) partition.drain();
      else if (left[0] === 'progress') {
        left.shift();
        progressed();
      }
      if (left.length > 0) throw left.shift();
    },
    onGap: (each) => {
      gaps.push(each);
      return 'continue';
    },
    onFailure: () => undefined,
  });
  return { lines, gaps };
}

/** As V8 writes it for a mistake in kafkajs. */
function kafkajsMistake(): TypeError {
  const error = new TypeError(
    "Cannot destructure property 'partitions' of 'high.pop(...)' as it is undefined.",
  );
  error.stack = `${error.name}: ${error.message}\n    at /app/node_modules/kafkajs/src/admin/index.js:327:31`;
  return error;
}

describe('runSessions', () => {
  test('ends with a mistake in the program: Kafka holds the work', async () => {
    for (const error of [
      new TypeError('x is no function'),
      new RangeError('offset'),
      new DefectError('step'),
    ])
      await assert.rejects(fail(error), error);
    await assert.rejects(fail(new KafkaSetupError('no topic')), KafkaSetupError);
  });

  test('tries again after trouble of Kafka and of kafkajs, and says where an unknown error comes from', async () => {
    const known = [new RetryableError('waits'), new Error('Broker not connected')];
    const unknown = [new Error('Aborted'), kafkajsMistake()];
    const errors = [...known, ...unknown];
    const lines = await fail(...errors);
    assert.deepEqual(
      lines.map(({ error }) => error),
      errors.map(({ message }) => message),
    );
    assert.deepEqual(
      lines.map(({ err }) => err?.stack),
      [undefined, undefined, ...unknown.map(({ stack }) => stack)],
    );
  });

  test('begins anew at once after a rebalance, but pauses when the next session meets it again', async () => {
    const pauses = (await fail(BEHIND, BEHIND, BEHIND, 'progress', BEHIND)).map(({ retryInMs }) => retryInMs);
    const [first, second, third, afterProgress] = pauses;
    assert.equal(first, 0);
    assert.ok(second! >= 50 && second! <= 100, `${second}`);
    assert.ok(third! >= 100 && third! <= 200, `${third}`);
    assert.equal(afterProgress, 0);
  });

  test('tells of missing records once, however often the step behind them fails', async () => {
    const gap = { from: 100n, to: 150n, reason: 'made_anew' } as const;
    const told = { topic: 't', partition: 0, ...gap };
    const trouble = new RetryableError('waits');
    assert.deepEqual((await failBehind(gap, [trouble, trouble])).gaps, [told]);
    const again = await failBehind(gap, [trouble, 'progress', trouble]);
    assert.deepEqual(again.gaps, [told, told], 'the same offsets, missing once more');
  });
});

test('what work without I/O throws is a defect, with its cause; trouble that it knows of is not', () => {
  const cause = new Error('no such slab');
  const thrown = (error: unknown) => () =>
    orDefect(() => {
      throw error;
    });
  assert.throws(thrown(cause), (error) => error instanceof DefectError && error.cause === cause);
  assert.throws(thrown(new RetryableError('the schema is not there')), RetryableError);
  assert.equal(
    orDefect(() => 5),
    5,
  );
});
