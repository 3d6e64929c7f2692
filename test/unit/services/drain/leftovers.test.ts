import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaAdmin } from '../../../../src/io/kafka/admin/admin.ts';
import { drainGroupId } from '../../../../src/services/drain/assignment.ts';
import { readLeftovers } from '../../../../src/services/drain/leftovers.ts';

const group = (node: string) => drainGroupId('tasks', node);

/** A cluster with one topic of three partitions, each with records from 10 on; what groups have committed there. */
function cluster(committed: Record<string, [offset: number, note: string][]>): KafkaAdmin {
  const entries = Object.entries(committed).map(([node, commits]) => {
    const partitions = commits.map(
      ([offset, metadata], partition) => [partition, { offset: BigInt(offset), metadata }] as const,
    );
    return [
      node.startsWith('penstock.') ? node : group(node),
      new Map([['tasks', new Map(partitions)]]),
    ] as const;
  });
  const groups = new Map(entries);
  const admin: Pick<KafkaAdmin, 'groupsWith' | 'committedEntries' | 'topicStates' | 'knownBounds'> = {
    topicStates: async () => new Map([['tasks', { partitions: [], trouble: undefined }]]),
    groupsWith: async (prefix) => [...groups.keys()].filter((name) => name.startsWith(prefix)),
    committedEntries: async (name) => groups.get(name) ?? new Map(),
    knownBounds: async () => ({
      bounds: new Map([0, 1, 2].map((id) => [id, { low: 10n, high: 90n }])),
      unknown: [],
    }),
  };
  const client = async () => ({
    describeGroups: async (names: string[]) => ({
      groups: names.map((groupId) => ({ groupId, state: 'Empty', members: [] })),
    }),
  });
  return { ...admin, client } as unknown as KafkaAdmin;
}

test('what nodes left behind is needed where nobody has taken over what they read, and Kafka still keeps it', async () => {
  const admin = cluster({
    here: [
      [50, 'turn 2'],
      [20, 'turn 1'],
    ],
    gone: [
      [40, 'turn 1'],
      [60, 'turn 2'],
      [10, 'turn 1'],
    ],
    idle: [[30, '']],
  });
  const left = await readLeftovers(admin, ['tasks'], ['here']);
  assert.deepEqual(left, [
    { node: 'gone', topic: 'tasks', group: group('gone'), live: false, needed_for: [1] },
    { node: 'idle', topic: 'tasks', group: group('idle'), live: false, needed_for: [] },
  ]);
});

test('a configured node leaves nothing behind', async () => {
  assert.deepEqual(await readLeftovers(cluster({ here: [[50, '']] }), ['tasks'], ['here']), []);
});

test('what an earlier version called its groups counts too, but for a node that is configured', async () => {
  const admin = cluster({
    here: [[50, 'turn 2']],
    'penstock.tasks.here': [[40, 'turn 1']],
    'penstock.tasks.gone': [
      [30, 'turn 1'],
      [60, 'turn 1'],
    ],
  });
  assert.deepEqual(await readLeftovers(admin, ['tasks'], ['here']), [
    { node: 'gone', topic: 'tasks', group: 'penstock.tasks.gone', live: false, needed_for: [1] },
  ]);
});
