import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { DefectError, orDefect, RetryableError } from '../../../../../src/core/model/errors.ts';
import { FatalKafkaError } from '../../../../../src/io/kafka/errors.ts';
import { AssignedPartition } from '../../../../../src/io/kafka/group/assigned-partition.ts';
import { type OffsetGap, runSessions } from '../../../../../src/io/kafka/group/partition-session.ts';
import type { CommittedStart } from '../../../../../src/io/kafka/group/start-offset.ts';
import { ofClient } from '../../../../../src/io/kafka/patch/boundary.ts';
import { UnsettledTransactionError } from '../../../../../src/io/kafka/patch/coordinators.ts';
import { missingTopic, TopicTroubleError } from '../../../../../src/io/kafka/topic/topic-trouble.ts';

const WARN = 40;

interface Line {
  readonly level: number;
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

/**
 * The same where each session finds that records are missing before its beginning: those of `gap`, or of `gaps` in turn,
 * the last of them again and again.
 */
async function failBehind(
  gap: CommittedStart['gap'] | readonly CommittedStart['gap'][],
  errors: readonly unknown[],
  now?: () => number,
): Promise<{ lines: Line[]; gaps: OffsetGap[]; failures: (string | undefined)[] }> {
  const failures: (string | undefined)[] = [];
  const gaps: OffsetGap[] = [];
  const missing = [gap].flat();
  const lines: Line[] = [];
  const log = pino({ level: 'debug' }, { write: (text) => void lines.push(JSON.parse(text)) });
  const partition = new AssignedPartition('t', 0, { generationId: 1, memberId: 'm' }, GROUP);
  const left = [...errors];
  await runSessions<undefined>(partition, {
    reader: {
      confirmOwnership: async () => undefined,
      startOffset: async () => {
        const [next] = missing.length > 1 ? missing.splice(0, 1) : missing;
        return { offset: 0n, gap: next, note: undefined };
      },
    },
    log,
    open: async () => undefined,
    close: async () => undefined,
    work: async (_partition, _resource, progressed) => {
      failures.push(partition.failure);
      if (left.length === 0) partition.drain();
      else if (left[0] === 'progress') {
        left.shift();
        progressed();
        failures.push(partition.failure);
      }
      if (left.length > 0) throw left.shift();
    },
    onGap: (each) => {
      gaps.push(each);
      return 'continue';
    },
    onFailure: () => undefined,
    ...(now === undefined ? {} : { now }),
  });
  return { lines, gaps, failures };
}

/** A mistake in kafkajs, as it comes out of it. */
async function kafkajsMistake(): Promise<Error> {
  const mistaken = {
    fetchTopicOffsets: async () => {
      throw new TypeError("Cannot destructure property 'partitions' of 'high.pop(...)' as it is undefined.");
    },
  };
  return await ofClient(mistaken)
    .fetchTopicOffsets()
    .catch((error) => error);
}

describe('runSessions', () => {
  test('wait for a topic in trouble, also where only the operator can help, and go on', async () => {
    const denied = (type: string) => Object.assign(new Error('Not authorized'), { type });
    const errors = [
      new TopicTroubleError(missingTopic('t')),
      denied('TOPIC_AUTHORIZATION_FAILED'),
      'progress',
    ];
    const lines = await fail(...errors, new Error('another'));
    assert.match(lines[0]!.error!, /^topic t does not exist/);
    assert.match(lines[1]!.error!, /^this user may not read topic t/);
    assert.equal(lines[2]!.error, 'another');
    // Rights that all of the work needs are another matter.
    await assert.rejects(fail(denied('GROUP_AUTHORIZATION_FAILED')), /Not authorized/);
  });

  test('leave word at the partition of why the last one failed, until something succeeds', async () => {
    const errors = [
      new RetryableError('waits'),
      BEHIND,
      new TopicTroubleError(missingTopic('t')),
      'progress',
    ];
    const { failures } = await failBehind(undefined, errors);
    const [none, waits, behind, missing, over] = failures;
    assert.equal(none, undefined);
    assert.equal(waits, 'waits');
    // A rebalance is not why nothing succeeds.
    assert.equal(behind, 'waits');
    assert.match(missing!, /^topic t does not exist/);
    assert.equal(over, undefined);
  });

  test('ends with a mistake in the program: Kafka holds the work', async () => {
    for (const error of [
      new TypeError('x is no function'),
      new RangeError('offset'),
      new DefectError('step'),
    ])
      await assert.rejects(fail(error), error);
    await assert.rejects(fail(new FatalKafkaError('no topic')), FatalKafkaError);
  });

  test('tries again after trouble of Kafka and of kafkajs, and says where an unknown error comes from', async () => {
    const known = [new RetryableError('waits'), new Error('Broker not connected')];
    const unknown = [new Error('Aborted'), await kafkajsMistake()];
    const errors = [...known, ...unknown];
    const lines = await fail(...errors);
    assert.deepEqual(
      lines.map(({ error }) => error),
      errors.map(({ message }) => message),
    );
    for (const [at, { err }] of lines.entries())
      at < known.length
        ? assert.equal(err, undefined)
        : assert.ok(err!.stack.startsWith(unknown[at - known.length]!.stack!));
  });

  test('say at most once a minute that the last transaction does not end', async () => {
    let nowMs = 0;
    const unsettled = Array.from({ length: 10 }, () => new UnsettledTransactionError('g/t/0', undefined));
    const now = () => (nowMs += 6_000);
    const { lines } = await failBehind(undefined, [...unsettled, new Error('another')], now);
    const warned = lines.filter(({ level }) => level === WARN).map(({ error }) => error);
    assert.equal(lines.length, 11);
    assert.deepEqual(warned, [lines[0]!.error, 'another']);
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

  test('tells of a gap that has grown since only what is new', async () => {
    const trouble = new RetryableError('waits');
    const counted = async (...gaps: readonly NonNullable<CommittedStart['gap']>[]) => {
      const told = await failBehind(gaps, Array(gaps.length - 1).fill(trouble));
      return told.gaps.map(({ from, to }) => `${from} to ${to}`);
    };
    const retention = (from: bigint, to: bigint) => ({ from, to, reason: 'retention' }) as const;
    const grown = await counted(retention(100n, 150n), retention(100n, 200n), retention(100n, 250n));
    assert.deepEqual(grown, ['100 to 150', '150 to 200', '200 to 250']);
    assert.deepEqual(await counted(retention(100n, 150n), retention(150n, 200n)), [
      '100 to 150',
      '150 to 200',
    ]);
    for (const reason of ['made_anew', 'truncated'] as const) {
      const written = await counted(
        { from: 10n, to: 1000n, reason },
        { from: 11n, to: 1000n, reason },
        { from: 11n, to: 999n, reason },
      );
      assert.deepEqual(written, ['10 to 1000', '11 to 999'], 'its end moves on');
    }
    const changed = await counted(retention(100n, 150n), { from: 10n, to: 100n, reason: 'made_anew' });
    assert.deepEqual(changed, ['100 to 150', '10 to 100']);
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
