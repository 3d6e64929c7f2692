import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import type { OffsetBounds } from '../../../../../src/io/kafka/admin/admin.ts';
import { FatalKafkaError } from '../../../../../src/io/kafka/errors.ts';
import { AssignedPartition } from '../../../../../src/io/kafka/group/assigned-partition.ts';
import { StartOffsets, startOffset } from '../../../../../src/io/kafka/group/start-offset.ts';
import { StaleAnswerGuard } from '../../../../../src/io/kafka/topic/stale-answer-guard.ts';
import { TopicIdentity } from '../../../../../src/io/kafka/topic/topic-identity.ts';
import type { TopicMark } from '../../../../../src/io/kafka/topic/topic-mark.ts';

describe('startOffset', () => {
  const bounds = { low: 10n, high: 20n };

  test('is the committed offset, or the oldest record when there is none', () => {
    assert.deepEqual(startOffset(15n, bounds), { offset: 15n, gap: undefined });
    assert.deepEqual(startOffset(10n, bounds), { offset: 10n, gap: undefined });
    assert.deepEqual(startOffset(20n, bounds), { offset: 20n, gap: undefined });
    assert.deepEqual(startOffset(undefined, bounds), { offset: 10n, gap: undefined });
  });

  test('reports what retention took, goes on at the end of what was truncated, and reads a new topic whole', () => {
    assert.deepEqual(startOffset(4n, bounds), {
      offset: 10n,
      gap: { from: 4n, to: 10n, reason: 'retention' },
    });
    assert.deepEqual(startOffset(21n, bounds), {
      offset: 20n,
      gap: { from: 20n, to: 21n, reason: 'truncated' },
    });
    assert.deepEqual(startOffset(21n, { low: 0n, high: 20n }), {
      offset: 0n,
      gap: { from: 20n, to: 21n, reason: 'made_anew' },
    });
  });
});

const MEMBERSHIP = { generationId: 1, memberId: 'm' };
const GROUP = { pause() {}, resume() {}, seek() {}, queueShare: () => 1, fetchShare: () => 1 };

/** A group's answers, each as the test has it now. */
class Answers {
  now = 0;
  committed: bigint | undefined;
  /** What the client says whose metadata is kept, and what any other broker says. */
  kept: OffsetBounds | undefined = { low: 0n, high: 100n };
  fresh: OffsetBounds | undefined = { low: 0n, high: 100n };
  asked = 0;
  onBounds = () => {};
  readonly partition = new AssignedPartition('t', 0, MEMBERSHIP, GROUP);
  /** Which topic it is now; '' where brokers do not say. */
  topicId = '';
  mark: TopicMark | undefined;
  isForgotten = false;
  readonly #unlikely = new StaleAnswerGuard(30_000, () => this.now);
  readonly starts = new StartOffsets({
    admin: {
      offsetBounds: async () => {
        this.onBounds();
        return this.#of(this.kept);
      },
      freshOffsetBounds: async () => {
        this.asked += 1;
        return this.#of(this.fresh);
      },
    },
    committed: async () =>
      this.committed === undefined
        ? undefined
        : { offset: this.committed, metadata: 'note', mark: this.mark },
    unlikely: this.#unlikely,
    identity: new TopicIdentity(
      async () => (this.topicId === '' ? undefined : { topicId: this.topicId, partitions: 3 }),
      this.#unlikely,
      () => 1_760_000_000_000,
    ),
    forgotten: async () => this.isForgotten,
  });

  #of(bounds: OffsetBounds | undefined) {
    return new Map(bounds === undefined ? [] : [0, 2, 3].map((partition) => [partition, bounds] as const));
  }

  at(now: number) {
    this.now = now;
    return this.starts.of(this.partition);
  }
}

describe('StartOffsets', () => {
  test('asks another broker when an end is before the committed offset', async () => {
    const answers = new Answers();
    answers.committed = 150n;
    answers.fresh = { low: 0n, high: 200n };
    assert.deepEqual(await answers.at(0), { offset: 150n, gap: undefined, note: 'note' });
    assert.equal(answers.asked, 1);
    answers.kept = answers.fresh;
    await answers.at(1);
    assert.equal(answers.asked, 1);
  });

  test('believes an end before the committed offset only when it has lasted', async () => {
    const answers = new Answers();
    answers.committed = 150n;
    await assert.rejects(answers.at(0), RetryableError);
    await assert.rejects(answers.at(20_000), /t\/0 ends at 100, and 150 is committed; .* for 10 s more/);
    assert.deepEqual(await answers.at(30_000), {
      offset: 0n,
      gap: { from: 100n, to: 150n, reason: 'made_anew' },
      note: undefined,
    });
  });

  test('reads on from the committed offset when the broker has caught up', async () => {
    const answers = new Answers();
    answers.committed = 150n;
    await assert.rejects(answers.at(0), RetryableError);
    answers.fresh = { low: 0n, high: 200n };
    assert.equal((await answers.at(15_000)).offset, 150n);
    answers.fresh = { low: 0n, high: 100n };
    await assert.rejects(answers.at(30_000), RetryableError);
  });

  test('refuses a committed offset below what this process has committed, until it has lasted', async () => {
    const answers = new Answers();
    answers.partition.committedTo = 80n;
    answers.committed = 70n;
    await assert.rejects(answers.at(0), /committed is 70, and 80 was before/);
    answers.committed = undefined;
    await assert.rejects(answers.at(1), /committed is nothing, and 80 was before/);
    answers.committed = 80n;
    assert.equal((await answers.at(2)).offset, 80n);
    answers.committed = undefined;
    await assert.rejects(answers.at(3), RetryableError);
    assert.equal((await answers.at(30_003)).offset, 0n);
    // It is what is committed now: the next session does not wait for it again.
    assert.equal((await answers.at(90_000)).offset, 0n);
  });

  test('a topic that is made anew while its ends are asked for is read from its beginning', async () => {
    const answers = new Answers();
    answers.committed = 50n;
    answers.onBounds = () => {
      answers.committed = undefined; // Kafka forgets what was committed for a topic when it is deleted
    };
    assert.equal((await answers.at(0)).offset, 0n);
  });

  const ONE = 'a'.repeat(22);
  const OTHER = 'b'.repeat(22);
  const mark = (topicId: string): TopicMark => ({ topicId, partitions: 3, since: 5 });

  test('a topic with another id than what is committed is of is read whole, once that has lasted', async () => {
    const answers = new Answers();
    answers.topicId = OTHER;
    answers.committed = 50n;
    answers.mark = mark(ONE);
    await assert.rejects(
      answers.at(0),
      /t\/0 is of topic b+, and what was read of a+; a broker that is behind/,
    );
    answers.topicId = ONE;
    assert.equal((await answers.at(10_000)).offset, 50n);
    assert.deepEqual(answers.partition.mark, mark(ONE));
    answers.topicId = OTHER;
    await assert.rejects(answers.at(20_000), RetryableError);
    assert.deepEqual(await answers.at(50_000), {
      offset: 0n,
      gap: { from: 50n, to: 50n, reason: 'made_anew' },
      note: undefined,
    });
    assert.deepEqual(answers.partition.mark, { topicId: OTHER, partitions: 3, since: 1_760_000_000 });
  });

  test('a topic with another id is told also where Kafka has deleted what was committed with the one before', async () => {
    const answers = new Answers();
    answers.topicId = ONE;
    answers.committed = 50n;
    answers.mark = mark(ONE);
    await answers.at(0);
    answers.partition.committedTo = 60n;
    answers.topicId = OTHER;
    answers.committed = undefined;
    await assert.rejects(answers.at(1), RetryableError);
    const { offset, gap } = await answers.at(30_001);
    assert.deepEqual([offset, gap], [0n, { from: 60n, to: 60n, reason: 'made_anew' }]);
    assert.equal((await answers.at(30_002)).gap, undefined, 'it is told once');
  });

  test('a partition that comes to a process whose topic was made again is of the new one; one that is added is not', async () => {
    const answers = new Answers();
    answers.topicId = ONE;
    await answers.at(0);
    answers.topicId = OTHER;
    await assert.rejects(answers.at(1), RetryableError);
    await answers.at(30_001);
    const other = (partition: number) => new AssignedPartition('t', partition, MEMBERSHIP, GROUP);
    await assert.rejects(answers.starts.of(other(2)), RetryableError);
    answers.now = 60_001;
    assert.equal((await answers.starts.of(other(2))).gap?.reason, 'made_anew');
    assert.equal((await answers.starts.of(other(3))).gap, undefined);
  });

  test('a commit without a mark counts, whatever was before', async () => {
    const answers = new Answers();
    answers.topicId = ONE;
    await answers.at(0);
    answers.topicId = OTHER;
    answers.committed = 50n;
    assert.deepEqual((await answers.at(1)).offset, 50n);
    assert.equal(answers.partition.mark?.topicId, OTHER);
  });

  test('a topic with the same id that ends before what is committed was truncated, also where it has all records', async () => {
    const answers = new Answers();
    answers.topicId = ONE;
    answers.mark = mark(ONE);
    answers.committed = 150n;
    await assert.rejects(answers.at(0), RetryableError);
    assert.deepEqual((await answers.at(30_000)).gap, { from: 100n, to: 150n, reason: 'truncated' });
  });

  test('a partition whose commit was forgotten begins at the oldest record, and that is told', async () => {
    const answers = new Answers();
    answers.kept = { low: 7n, high: 100n };
    assert.equal((await answers.at(0)).gap, undefined);
    answers.isForgotten = true;
    const told = { offset: 7n, gap: { from: 7n, to: 100n, reason: 'expired' }, note: undefined };
    assert.deepEqual(await answers.at(1), told);
  });

  test('a partition that is not there is missed only when no broker has heard of it for long', async () => {
    const answers = new Answers();
    answers.kept = undefined;
    assert.equal((await answers.at(0)).offset, 0n);
    answers.fresh = undefined;
    await assert.rejects(answers.at(1), RetryableError);
    await assert.rejects(answers.at(30_001), FatalKafkaError);
  });
});
