import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OffsetBounds } from '../../../../src/io/kafka/admin/admin.ts';
import type { GroupDescription, GroupMember } from '../../../../src/io/kafka/admin/group-description.ts';
import {
  missingTopic,
  type TopicTrouble,
  unauthorizedTopic,
} from '../../../../src/io/kafka/topic/topic-trouble.ts';
import type { ExpectedDeployment } from '../../../../src/services/status/expected.ts';
import type { Observation } from '../../../../src/services/status/observe.ts';
import { type Beside, reportStatus } from '../../../../src/services/status/report.ts';

const EXPECTED: ExpectedDeployment = {
  ingest: { topics: ['raw'], group: 'workers' },
  deadTopic: 'dead',
  taskTopics: [{ topic: 'tasks', routes: ['http'], count: 4 }],
  nodes: [
    { node: 'a', url: 'http://a/', groups: [{ topic: 'tasks', group: 'drain-a', tasks: [0, 2] }] },
    { node: 'b', url: 'http://b/', groups: [{ topic: 'tasks', group: 'drain-b', tasks: [1, 3] }] },
  ],
};

function bounds(...ends: (number | [number, number])[]): Map<number, OffsetBounds> {
  return new Map(
    ends.map((end, partition) => {
      const [low, high] = typeof end === 'number' ? [0, end] : end;
      return [partition, { low: BigInt(low), high: BigInt(high) }];
    }),
  );
}

function offsets(...committed: (number | undefined)[]): Map<number, bigint> {
  return new Map(
    committed.flatMap((offset, partition) => (offset === undefined ? [] : [[partition, BigInt(offset)]])),
  );
}

function group(topic: string, ...members: number[][]): GroupDescription {
  const described = members.map(
    (partitions, at): GroupMember => ({
      member: `${topic}-${at}`,
      client: 'penstock',
      host: '10.0.0.1',
      partitions: new Map([[topic, partitions]]),
      claims: new Map(),
    }),
  );
  return { state: 'Stable', members: described };
}

/** All runs, nothing waits. */
function healthy(): {
  bounds: Map<string, Map<number, OffsetBounds>>;
  unknown: Map<string, number[]>;
  troubles: TopicTrouble[];
  groups: Map<string, GroupDescription>;
  committed: Map<string, Map<string, Map<number, bigint>>>;
} {
  return {
    bounds: new Map([
      ['raw', bounds(10, 20)],
      ['tasks', bounds(5, 5, 5, 5)],
      ['dead', bounds([3, 5])],
    ]),
    groups: new Map([
      ['workers', group('raw', [0], [1])],
      ['drain-a', group('tasks', [0, 2])],
      ['drain-b', group('tasks', [1, 3])],
    ]),
    unknown: new Map(),
    troubles: [],
    committed: new Map([
      ['workers', new Map([['raw', offsets(10, 20)]])],
      ['drain-a', new Map([['tasks', offsets(5, undefined, 5)]])],
      ['drain-b', new Map([['tasks', offsets(undefined, 5, undefined, 5)]])],
    ]),
  };
}

function report(change: (seen: ReturnType<typeof healthy>) => void = () => {}, beside: Beside = {}) {
  const seen = healthy();
  change(seen);
  const { ingest, ...status } = reportStatus(EXPECTED, seen satisfies Observation, beside);
  return { ...status, ingest: ingest[0]! };
}

describe('status', () => {
  it('of a deployment that is well', () => {
    const { ingest, nodes, dead_letters, problems } = report();
    assert.deepEqual(problems, []);
    assert.deepEqual(
      ingest.members.map(({ member, partitions }) => [member, partitions]),
      [
        ['raw-0', [0]],
        ['raw-1', [1]],
      ],
    );
    assert.deepEqual(ingest.partitions, [
      { partition: 0, lag: 0, committed: 10, end: 10, member: 'raw-0' },
      { partition: 1, lag: 0, committed: 20, end: 20, member: 'raw-1' },
    ]);
    assert.deepEqual(
      nodes.map(({ node, tasks, lag }) => [node, tasks, lag]),
      [
        ['a', 2, 0],
        ['b', 2, 0],
      ],
    );
    assert.deepEqual(dead_letters, { topic: 'dead', records: 2 });
  });

  it('counts lag from the commit, and from the oldest record where a commit is missing or outside', () => {
    const { ingest, nodes } = report((seen) => {
      seen.bounds.set('raw', bounds([4, 10], [5, 20]));
      seen.committed.set('workers', new Map([['raw', offsets(2, undefined)]]));
      seen.bounds.set('tasks', bounds(100, 5, 9, 5));
      seen.committed.set('drain-a', new Map([['tasks', offsets(90, undefined, 12)]]));
    });
    assert.deepEqual(
      ingest.partitions.map(({ lag, committed }) => [lag, committed]),
      [
        [6, 2],
        [15, null],
      ],
    );
    assert.equal(ingest.lag, 21);
    assert.equal(ingest.max_lag, 15);
    assert.deepEqual([nodes[0]!.lag, nodes[0]!.max_lag, nodes[1]!.lag], [19, 10, 0]);
  });

  it('shows every ingest topic, and tells of their one group once', () => {
    const expected = { ...EXPECTED, ingest: { topics: ['raw', 'plant'], group: 'workers' } };
    const seen = healthy();
    seen.bounds.set('plant', bounds(7, 9));
    seen.committed.get('workers')!.set('plant', offsets(undefined, 8));
    const [member] = group('raw', [0, 1]).members;
    const partitions = new Map([...member!.partitions, ['plant', [0]]]);
    seen.groups.set('workers', { state: 'Stable', members: [{ ...member!, partitions }] });
    const { ingest, problems } = reportStatus(expected, seen);
    assert.deepEqual(
      ingest.map(({ topic, lag, unread }) => [topic, lag, unread]),
      [
        ['raw', 0, []],
        ['plant', 8, [1]],
      ],
    );
    assert.deepEqual(problems, [
      'nobody reads partition 1 of plant, though group workers has members; restart them',
    ]);
    seen.groups.delete('workers');
    assert.deepEqual(reportStatus(expected, seen).problems, [
      'no worker runs: nobody reads 4 partitions of raw, plant (group workers)',
    ]);
    seen.groups.set('workers', { state: 'PreparingRebalance', members: [member!] });
    assert.equal(reportStatus(expected, seen).problems.length, 1);
  });

  it('names what nobody reads', () => {
    const { nodes, ingest, problems } = report((seen) => {
      seen.groups.set('workers', { state: 'Empty', members: [] });
      seen.groups.set('drain-b', group('tasks', [1]));
    });
    assert.deepEqual(ingest.unread, [0, 1]);
    assert.deepEqual(nodes[1]!.topics[0]!.unread, [3]);
    assert.equal(problems.length, 2);
    assert.match(problems[0]!, /^no worker runs: nobody reads 2 partitions of raw/);
    assert.match(problems[1]!, /^nobody reads partition 3 of tasks, though group drain-b has members/);
  });

  it('tells of a node without drains once, and of a topic without one by its group', () => {
    const [node] = EXPECTED.nodes;
    const more = { topic: 'more', group: 'drain-more', tasks: [0] };
    const expected = {
      ...EXPECTED,
      taskTopics: [...EXPECTED.taskTopics, { topic: 'more', routes: ['more'], count: 1 }],
      nodes: [{ ...node!, groups: [...node!.groups, more] }],
    };
    const seen = healthy();
    seen.bounds.set('more', bounds(0));
    assert.deepEqual(reportStatus(expected, seen).problems, [
      'no drain of a runs: nobody reads 1 partitions of more (group drain-more)',
    ]);
    seen.groups.delete('drain-a');
    assert.deepEqual(reportStatus(expected, seen).problems, [
      'no drain of a runs: nobody reads its 3 partitions',
    ]);
  });

  it('does not take a rebalance for a loss', () => {
    const { problems } = report((seen) => {
      const { members } = group('raw', []);
      seen.groups.set('workers', { state: 'PreparingRebalance', members });
    });
    assert.deepEqual(problems, [
      'group workers is in a rebalance (PreparingRebalance); look again in a moment',
    ]);
  });

  it('names a drain that reads what is not its node’s', () => {
    const { problems } = report((seen) => seen.groups.set('drain-a', group('tasks', [0, 1, 2])));
    assert.equal(problems.length, 1);
    assert.match(problems[0]!, /a drain of a \(penstock at 10\.0\.0\.1\) reads partition 1 of tasks/);
  });

  it('names records beyond the task count', () => {
    const { problems } = report((seen) => seen.bounds.set('tasks', bounds(5, 5, 5, 5, 0, 7)));
    assert.equal(problems.length, 1);
    assert.match(
      problems[0]!,
      /^partition 5 of tasks has records and belongs to no task, since there are 4 tasks/,
    );
  });

  it('names partitions that nobody leads, and goes on without them', () => {
    const { problems } = report((seen) => {
      seen.bounds.get('tasks')!.delete(3);
      seen.unknown.set('tasks', [3]);
    });
    assert.match(problems.join(), /^partition 3 of tasks cannot be read or written to: no broker leads it/);
  });

  it('names topics that are missing or too small', () => {
    const { problems, ingest, nodes, dead_letters } = report((seen) => {
      seen.bounds.delete('raw');
      seen.bounds.delete('dead');
      seen.troubles.push(missingTopic('raw'), unauthorizedTopic('dead', 'describe'));
      seen.bounds.set('tasks', bounds(5, 5, 5));
      seen.committed.delete('workers');
    });
    assert.deepEqual(problems, [
      'topic raw does not exist; run penstock topics apply',
      'this user may not describe topic dead; it needs the right to (ACLs, docs/guides/security.md)',
      'topic tasks has 3 partitions for 4 tasks; run penstock topics apply',
    ]);
    assert.equal(ingest.topic_exists, false);
    assert.equal(dead_letters.records, null);
    assert.deepEqual(nodes[1]!.topics[0]!.tasks, [1, 3]);
    assert.deepEqual(
      nodes[1]!.topics[0]!.partitions.map(({ partition }) => partition),
      [1],
    );
  });

  describe('what does not get on', () => {
    const waiting = (seen: ReturnType<typeof healthy>) => {
      seen.bounds.set('raw', bounds(15, 20));
      seen.bounds.set('tasks', bounds(9, 5, 9, 5));
    };
    const before = () => {
      const seen = healthy();
      waiting(seen);
      return { seen, secondsAgo: 3 };
    };
    const ages = new Map([
      ['workers/raw/0', 70],
      ['drain-a/tasks/0', 200],
      ['drain-a/tasks/2', 61],
    ]);

    it('is one line a node, with what the node answers, and one for the workers', () => {
      const answers = new Map([['a', 'http://a/: connect ECONNREFUSED']]);
      const { problems, nodes, ingest } = report(waiting, { before: before(), ages, answers });
      assert.deepEqual(problems, [
        'workers do not get on with partition 0 of raw: records wait since 1 min ago, and nothing was committed in 3 s; ' +
          'their log and /-/ready say why',
        'a does not take what its drains send: partition 0,2 of tasks: records wait since 3 min ago, and nothing was ' +
          'committed in 3 s; asked from here, http://a/: connect ECONNREFUSED',
      ]);
      assert.deepEqual([nodes[0]!.topics[0]!.stuck, nodes[0]!.topics[0]!.lag_seconds], [[0, 2], 200]);
      assert.deepEqual([ingest.stuck, ingest.lag_seconds], [[0], 70]);
      assert.deepEqual([nodes[1]!.topics[0]!.stuck, nodes[1]!.topics[0]!.lag_seconds], [[], 0]);
    });

    it('is not what was committed between the looks, what has just come, or what nobody reads', () => {
      const moved = report((seen) => {
        waiting(seen);
        seen.committed.get('workers')!.set('raw', offsets(12, 20));
        seen.committed.get('drain-a')!.set('tasks', offsets(6, undefined, 6));
      });
      assert.deepEqual(moved.problems, []);
      const young = new Map([...ages.keys()].map((id) => [id, 4]));
      assert.deepEqual(report(waiting, { before: before(), ages: young }).problems, []);
      assert.deepEqual(report(waiting).problems, []);
      const unread = report(
        (seen) => {
          waiting(seen);
          seen.groups.set('drain-a', group('tasks'));
          seen.groups.set('workers', group('raw'));
        },
        { before: before(), ages },
      );
      assert.equal(unread.problems.length, 2);
      assert.ok(unread.problems.every((problem) => problem.startsWith('no ')));
    });
  });

  it('tells how topics differ', () => {
    assert.deepEqual(report(() => {}, { drift: ['topic raw: x'] }).problems, ['topic raw: x']);
  });
});
