import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { AssignedPartition } from '../../../../src/io/kafka/group/assigned-partition.ts';
import type { OffsetGap } from '../../../../src/io/kafka/group/partition-session.ts';
import type { Identity } from '../../../../src/io/kafka/topic/topic-identity.ts';
import type { TopicMark } from '../../../../src/io/kafka/topic/topic-mark.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';
import type { Standing } from '../../../../src/services/drain/last-owner.ts';
import { Takeover } from '../../../../src/services/drain/takeover.ts';
import { formatTurn, parseTurn } from '../../../../src/services/drain/turn.ts';
import { SILENT } from '../../../support/kafka-data.ts';

const GROUP = { pause() {}, resume() {}, seek() {}, queueShare: () => 1, fetchShare: () => 1 };

/** Chance from a seed, for interleavings that come again. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What Kafka knows of one partition, asked and told with pauses of chance. */
class Cluster {
  readonly commits = new Map<string, { offset: bigint; metadata: string; mark?: TopicMark }>();
  readonly holders = new Set<string>();
  readonly metrics = new Metrics();
  readonly gaps: OffsetGap[] = [];
  onGap: 'continue' | 'stop' = 'continue';
  isOld = false;
  identity: (marks: readonly (TopicMark | undefined)[]) => Identity = () => ({
    topicId: undefined,
    is: 'unknown',
  });
  /** So many looks go to a coordinator that has not heard of what this group has committed. */
  unheardOf = { group: '', looks: 0 };
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  async pause(): Promise<void> {
    for (let left = Math.floor(this.#random() * 6); left > 0; left -= 1) await turn();
  }

  async commit(group: string, offset: bigint, metadata: string): Promise<void> {
    await this.pause();
    this.commits.set(group, { offset, metadata });
    await this.pause();
  }

  takeover(group: string): Takeover {
    return new Takeover({
      group,
      reader: {
        committed: async () => this.commits.get(group),
        commit: (_, offset, note = '') => this.commit(group, offset, note),
        lookAtTopic: async (_, marks) => this.identity(marks),
      },
      groups: {
        holds: async (other) => this.holders.has(other),
        standings: async () => {
          await this.pause();
          const holders = new Set(this.holders);
          await this.pause();
          const commits = new Map(this.commits);
          if (this.unheardOf.looks-- > 0) commits.delete(this.unheardOf.group);
          await this.pause();
          const groups = [...new Set([...holders, ...commits.keys()])];
          return groups.map((each) => toStanding(each, holders, commits));
        },
      },
      bounds: async () => ({ low: 5n, high: 90n }),
      isOld: async () => this.isOld,
      onGap: (gap) => {
        this.gaps.push(gap);
        return this.onGap;
      },
      begun: () => undefined,
      metrics: this.metrics,
      log: SILENT,
      pauseMs: 1,
    });
  }
}

function toStanding(group: string, holders: ReadonlySet<string>, commits: Cluster['commits']): Standing {
  const commit = commits.get(group);
  return {
    group,
    holds: holders.has(group),
    commit: commit && { offset: commit.offset, note: parseTurn(commit.metadata), mark: commit.mark },
  };
}

const assigned = () => new AssignedPartition('tasks', 0, { generationId: 1, memberId: 'm' }, GROUP);

describe('a takeover', () => {
  test('waits for the last owner, says so, and begins where that one stood', async () => {
    const cluster = new Cluster(chance(1));
    await cluster.commit('a', 40n, 'turn 2');
    cluster.holders.add('a').add('b');
    const partition = assigned();
    const settled = cluster.takeover('b').settle(partition);
    while (partition.waitsFor === undefined) await turn();
    assert.equal(partition.waitsFor, 'a');
    await cluster.commit('a', 47n, 'turn 2 handed over');
    cluster.holders.delete('a');
    assert.equal(await settled, 3);
    assert.equal(partition.waitsFor, undefined);
    assert.deepEqual(cluster.commits.get('b'), { offset: 47n, metadata: 'turn 3 handed over' });
    assert.match(
      await cluster.metrics.registry.metrics(),
      /penstock_drain_partition_starts_total\{topic="tasks",from="taken_over"\} 1\n/,
    );
  });

  test('counts a partition that nobody has read, which begins at the oldest record', async () => {
    const cluster = new Cluster(chance(1));
    cluster.holders.add('b');
    assert.equal(await cluster.takeover('b').settle(assigned()), 1);
    assert.deepEqual(cluster.commits.get('b'), { offset: 5n, metadata: 'turn 1 handed over' });
    assert.match(
      await cluster.metrics.registry.metrics(),
      /penstock_drain_partition_starts_total\{topic="tasks",from="never_read"\} 1\n/,
    );
  });

  test('takes a partition that nobody stands in, and has old records, for one that was forgotten', async () => {
    const cluster = new Cluster(chance(1));
    cluster.holders.add('b');
    cluster.isOld = true;
    await cluster.takeover('b').settle(assigned());
    assert.deepEqual(cluster.gaps, [{ topic: 'tasks', partition: 0, from: 5n, to: 90n, reason: 'expired' }]);
    assert.match(
      await cluster.metrics.registry.metrics(),
      /penstock_drain_partition_starts_total\{topic="tasks",from="expired"\} 1\n/,
    );
  });

  test('what is committed for another topic of the name is of no use, and said', async () => {
    const cluster = new Cluster(chance(1));
    const mark = { topicId: 'before', partitions: 1, since: 0 };
    cluster.commits.set('a', { offset: 40n, metadata: 'turn 7', mark });
    cluster.commits.set('b', { offset: 60n, metadata: 'turn 3', mark });
    cluster.holders.add('b');
    cluster.identity = (marks) => ({
      topicId: 'now',
      is: marks.every((each) => each?.topicId === 'before') ? 'another' : 'same',
    });
    assert.equal(await cluster.takeover('b').settle(assigned()), 1);
    assert.deepEqual(cluster.commits.get('b'), { offset: 5n, metadata: 'turn 1 handed over' });
    assert.deepEqual(cluster.gaps, [
      { topic: 'tasks', partition: 0, from: 0n, to: 60n, reason: 'made_anew' },
    ]);
  });

  test('stops at such a partition, as often as it is started, where that is asked for', async () => {
    const cluster = new Cluster(chance(1));
    cluster.holders.add('b');
    cluster.isOld = true;
    cluster.onGap = 'stop';
    for (let start = 0; start < 2; start += 1) {
      await assert.rejects(cluster.takeover('b').settle(assigned()), /on_offset_gap is stop/);
      assert.equal(cluster.commits.size, 0);
    }
  });

  test('the record of an owner that died may have been sent', async () => {
    const cluster = new Cluster(chance(1));
    await cluster.commit('a', 40n, '');
    cluster.holders.add('b');
    await cluster.takeover('b').settle(assigned());
    assert.deepEqual(cluster.commits.get('b'), { offset: 40n, metadata: 'turn 1' });
  });

  test('ends without a claim of its own when the partition drains while it waits', async () => {
    const cluster = new Cluster(chance(1));
    await cluster.commit('a', 40n, '');
    cluster.holders.add('a').add('b');
    const partition = assigned();
    const settled = cluster.takeover('b').settle(partition);
    while (partition.waitsFor === undefined) await turn();
    partition.drain();
    await settled;
    assert.equal(cluster.commits.has('b'), false);
  });

  test('takes nothing while the answers about its own group are those of a coordinator that was deposed', async () => {
    const cluster = new Cluster(chance(1));
    await cluster.commit('a', 40n, 'turn 1');
    cluster.holders.add('b');
    const own = { offset: 90n, metadata: 'turn 2' };
    await cluster.commit('b', own.offset, own.metadata);
    cluster.unheardOf = { group: 'b', looks: 4 };
    assert.equal(await cluster.takeover('b').settle(assigned()), 2);
    assert.deepEqual(cluster.commits.get('b'), own);
  });

  test('whatever the groups do at once, one works at a time, and no record is passed over or sent again', async () => {
    for (let seed = 1; seed <= 80; seed += 1) await compete(seed);
  });
});

/** Drains of four nodes come to hold the partition and let go of it as they like, in order or not. */
async function compete(seed: number): Promise<void> {
  const random = chance(seed);
  const cluster = new Cluster(random);
  const delivered: bigint[] = [];
  let atWork: string | undefined;
  const live = async (group: string) => {
    for (let life = 0; life < 3; life += 1) {
      await cluster.pause();
      cluster.holders.add(group);
      const partition = assigned();
      const givesUpAfter = setTimeout(() => partition.drain(), random() * 8);
      const note = await cluster.takeover(group).settle(partition);
      clearTimeout(givesUpAfter);
      if (partition.active) {
        const start = cluster.commits.get(group);
        assert.equal(atWork, undefined, `seed ${seed}: ${group} begins while ${atWork} works`);
        atWork = group;
        let next = start!.offset;
        for (let left = Math.floor(random() * 3); left > 0; left -= 1) {
          delivered.push(next);
          next += 1n;
          await cluster.commit(group, next, formatTurn({ turn: note, state: 'working' }));
        }
        await cluster.commit(group, next, formatTurn({ turn: note, state: 'handed over' }));
        atWork = undefined;
      }
      cluster.holders.delete(group);
    }
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(live));
  const expected = delivered.map((_, index) => 5n + BigInt(index));
  assert.deepEqual(delivered, expected, `seed ${seed}`);
}
