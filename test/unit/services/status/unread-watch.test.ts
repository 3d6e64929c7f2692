import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { GroupDescription } from '../../../../src/io/kafka/admin/group-description.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';
import type { ExpectedDeployment } from '../../../../src/services/status/expected.ts';
import { UnreadWatch, type WatchedCluster } from '../../../../src/services/status/unread-watch.ts';

const DEPLOYMENT: ExpectedDeployment = {
  ingest: { topics: ['raw'], group: 'workers' },
  deadTopic: 'dead',
  taskTopics: [{ topic: 'tasks', routes: ['r'], count: 4 }],
  nodes: ['a', 'b'].map((node, at) => ({
    node,
    url: 'http://node',
    groups: [{ topic: 'tasks', group: `drain.${node}`, tasks: [2 * at, 2 * at + 1] }],
  })),
};

/** A stable group whose members have such partitions of the topic, by their ids. */
function stable(topic: string, held: Record<string, number[]>): GroupDescription {
  return {
    state: Object.keys(held).length === 0 ? 'Empty' : 'Stable',
    members: Object.entries(held).map(([member, partitions]) => ({
      member,
      client: 'c',
      host: 'h',
      partitions: new Map([[topic, partitions]]),
      claims: new Map(),
    })),
  };
}

describe('the watch over partitions that nobody reads', () => {
  let groups: Record<string, GroupDescription>;
  let metrics: Metrics;
  let described: string[][];
  let away: boolean;
  let nowMs: number;
  beforeEach(() => {
    metrics = new Metrics();
    described = [];
    away = false;
    nowMs = 1_000_000;
    groups = {
      workers: stable('raw', { 'w-1': [0], 'w-2': [1] }),
      'drain.a': stable('tasks', { 'a-1': [0, 1] }),
      'drain.b': stable('tasks', { 'b-1': [2, 3] }),
    };
  });

  const cluster: WatchedCluster = {
    describe: async (ids) => {
      if (away) throw new Error('Kafka is away');
      described.push([...ids]);
      return new Map(ids.map((id) => [id, groups[id]!]));
    },
    partitions: async () => [0, 1],
    committedOffsets: async () => new Map([[3, 90n]]),
    knownBounds: async (_: string, wanted: readonly number[]) => ({
      bounds: new Map(wanted.map((each) => [each, { low: 10n, high: 100n }])),
    }),
    close: async () => undefined,
  };

  async function watchOf(...memberIds: string[]) {
    const watch = new UnreadWatch(cluster, DEPLOYMENT, metrics, () => nowMs);
    watch.start(() => memberIds);
    await watch.stop(); // looks are taken by the test
    return watch;
  }

  /** What the process with these members exports after a look. */
  async function seenBy(...memberIds: string[]): Promise<Record<string, number>> {
    const watch = await watchOf(...memberIds);
    await watch.look();
    return await exported(watch);
  }

  async function exported(watch: UnreadWatch): Promise<Record<string, number>> {
    metrics.lag.reset();
    metrics.lagSeconds.reset();
    watch.collect();
    const gauges = await Promise.all([metrics.unread.get(), metrics.lag.get(), metrics.lagSeconds.get()]);
    return Object.fromEntries(
      gauges.flatMap(({ name, values }) =>
        values
          .filter(({ value, labels }) => value > 0 || 'partition' in labels)
          .map(({ labels, value }) => [
            `${name.replace('penstock_', '')} ${Object.values(labels).join('/')}`,
            value,
          ]),
      ),
    );
  }

  it('has one process that speaks: the first member of the first group that has any', async () => {
    groups['drain.b'] = stable('tasks', {});
    assert.deepEqual(await seenBy('w-2'), {});
    assert.deepEqual(described, [['workers']]);
    assert.deepEqual(await seenBy('a-1'), {});
    assert.equal((await seenBy('w-1'))['unread_partitions drain.b/tasks'], 2);
    groups.workers = stable('raw', {});
    assert.deepEqual(await seenBy('w-1'), {});
    assert.equal((await seenBy('a-1'))['unread_partitions workers/raw'], 2);
  });

  it('says how many and how far behind, from the commit or the oldest record', async () => {
    groups['drain.b'] = stable('tasks', {});
    assert.deepEqual(await seenBy('w-1'), {
      'unread_partitions drain.b/tasks': 2,
      'consumer_lag_records drain.b/tasks/2': 90,
      'consumer_lag_records drain.b/tasks/3': 10,
      'consumer_lag_seconds drain.b/tasks/2': 0,
      'consumer_lag_seconds drain.b/tasks/3': 0,
    });
  });

  it('counts how long they have waited', async () => {
    groups['drain.b'] = stable('tasks', { 'b-1': [2] });
    const watch = await watchOf('w-1');
    await watch.look();
    nowMs += 60_000;
    await watch.look();
    const seen = await exported(watch);
    assert.equal(seen['consumer_lag_seconds drain.b/tasks/3'], 60);
    assert.equal(seen['consumer_lag_records drain.b/tasks/2'], undefined);
  });

  it('leaves out what a member still works on, and groups that are in a rebalance', async () => {
    const [member] = groups['drain.b']!.members;
    groups['drain.b'] = {
      state: 'Stable',
      members: [{ ...member!, partitions: new Map(), claims: new Map([['tasks', [2]]]) }],
    };
    assert.equal((await seenBy('w-1'))['unread_partitions drain.b/tasks'], 1);
    groups['drain.b'] = { state: 'PreparingRebalance', members: [member!] };
    assert.deepEqual(await seenBy('w-1'), {});
  });

  it('says nothing any more when Kafka does not answer, or the group is read again', async () => {
    groups['drain.b'] = stable('tasks', {});
    const watch = await watchOf('w-1');
    await watch.look();
    away = true;
    await watch.look();
    assert.deepEqual(await exported(watch), {});
    away = false;
    await watch.look();
    groups['drain.b'] = stable('tasks', { 'b-1': [2, 3] });
    await watch.look();
    assert.deepEqual(await exported(watch), {});
  });

  it('goes by another configuration when it is told', async () => {
    groups['drain.b'] = stable('tasks', {});
    const watch = await watchOf('w-1');
    watch.expect({ ...DEPLOYMENT, nodes: DEPLOYMENT.nodes.slice(0, 1) });
    await watch.look();
    assert.deepEqual(await exported(watch), {});
  });
});
