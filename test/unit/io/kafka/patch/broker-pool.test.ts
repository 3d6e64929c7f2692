import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { patchBrokerPool } from '../../../../../src/io/kafka/patch/broker-pool.ts';

const MAX_AGE_MS = 60_000;

interface Node {
  readonly connectionPool: { readonly pool: { silent: boolean }[] };
  isConnected(): boolean;
}

/** kafkajs' pool as far as the replacement asks it. */
class OriginalPool {
  brokers: Record<string, Node> = {};
  readonly gone = new Set<string>();
  seedBroker: Node = node(false);
  seeds = 1;
  connections = 0;
  /** Leaders of one topic's partitions, by each refresh; the last for ever. */
  leaders: number[][] = [[1]];
  refreshes = 0;
  metadata: object | null = null;
  readonly metadataMaxAge = MAX_AGE_MS;
  metadataExpireAt: number | null = null;

  async refreshMetadata(_: readonly string[]): Promise<void> {
    const leaders = this.leaders[Math.min(this.refreshes, this.leaders.length - 1)]!;
    this.refreshes += 1;
    const partitionMetadata = leaders.map((leader, partitionId) => ({ partitionId, leader }));
    this.metadata = { topicMetadata: [{ topic: 't', partitionMetadata }] };
    this.metadataExpireAt = Date.now() + MAX_AGE_MS; // not by the clock that counts
  }

  async refreshMetadataIfNecessary(_: readonly string[]): Promise<void> {
    throw new Error("by the system's time");
  }

  async findBroker({ nodeId }: { nodeId: string }): Promise<Node> {
    if (this.gone.has(nodeId)) throw new Error(`connect ECONNREFUSED ${nodeId}`);
    return this.brokers[nodeId]!;
  }
  async createSeedBroker(): Promise<void> {
    await setImmediate();
    this.seeds += 1;
    this.seedBroker = node(false);
  }
  async connect(): Promise<void> {
    this.connections += 1;
  }
  async findConnectedBroker(): Promise<unknown> {
    throw new Error('whichever');
  }
  async withBroker(_: (answerer: { nodeId: string }) => Promise<unknown>): Promise<unknown> {
    throw new Error('No brokers in the broker pool');
  }
}

function node(silent: boolean, connected = false): Node {
  return { connectionPool: { pool: [{ silent: false }, { silent }] }, isConnected: () => connected };
}

function pool(silent: readonly string[], connected = true): OriginalPool {
  const Talkative = patchBrokerPool(OriginalPool as never, (ids) => ids) as typeof OriginalPool;
  const made = new Talkative();
  for (const id of ['1', '2', '3']) made.brokers[id] = node(silent.includes(id), connected);
  return made;
}

test('a broker that hangs is asked last', async () => {
  const asked: string[] = [];
  const answer = await pool(['1']).withBroker(async ({ nodeId }) => {
    asked.push(nodeId);
    if (nodeId !== '1') throw new Error('does not know');
    return 'known';
  });
  assert.equal(answer, 'known');
  assert.deepEqual(asked, ['2', '3', '1']);
});

test('one that cannot be reached is passed over', async () => {
  const brokers = pool([]);
  brokers.gone.add('1');
  assert.equal(await brokers.withBroker(async ({ nodeId }) => nodeId), '2');
});

test('when none is reached the reason is told, when none knows there is no answer', async () => {
  const brokers = pool([]);
  const nobody = async () => {
    throw new Error('does not know');
  };
  assert.equal(await brokers.withBroker(nobody), null);
  for (const id of ['1', '2', '3']) brokers.gone.add(id);
  await assert.rejects(brokers.withBroker(nobody), /ECONNREFUSED/);
  brokers.brokers = {};
  await assert.rejects(brokers.withBroker(nobody), /No brokers/);
});

test('of the connected ones, one that answers is taken', async () => {
  const brokers = pool(['1', '2']);
  assert.equal(await brokers.findConnectedBroker(), brokers.brokers['3']);
});

test('one that answers and has to be connected comes before one that hangs', async () => {
  const brokers = pool(['1', '2'], false);
  brokers.brokers['1'] = node(true, true);
  assert.equal(await brokers.findConnectedBroker(), brokers.brokers['3']);
  brokers.gone.add('3');
  assert.equal(await brokers.findConnectedBroker(), brokers.brokers['1']);
});

test('with no node known or none reached one of the configured list is asked, another when that hangs', async () => {
  const brokers = pool([], false);
  for (const id of ['1', '2', '3']) brokers.gone.add(id);
  const first = brokers.seedBroker;
  assert.equal(await brokers.findConnectedBroker(), first);
  brokers.brokers = {};
  brokers.seedBroker = node(true);
  const found = await Promise.all([brokers.findConnectedBroker(), brokers.findConnectedBroker()]);
  assert.deepEqual(found, [brokers.seedBroker, brokers.seedBroker]);
  assert.equal(brokers.seeds, 2);
  assert.equal(brokers.connections, 3);
});

test('an election is waited for', async () => {
  const brokers = pool([]);
  brokers.leaders = [
    [1, -1],
    [1, 2],
  ];
  await brokers.refreshMetadata(['t']);
  assert.equal(brokers.refreshes, 2);
  assert.ok(brokers.metadataExpireAt! > performance.now() + MAX_AGE_MS / 2);
});

test('a partition that stays without a leader is waited for once, and looked for again soon', async () => {
  const brokers = pool([]);
  brokers.leaders = [[1, -1]];
  await brokers.refreshMetadata(['t']);
  assert.ok(brokers.metadataExpireAt! < performance.now() + MAX_AGE_MS / 2);
  const before = brokers.refreshes;
  await brokers.refreshMetadata(['t']);
  assert.equal(brokers.refreshes, before + 1);
});

test("metadata age whatever becomes of the system's time, and are asked for when a topic is not in them", async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 7_200_000 });
  const brokers = pool([]);
  await brokers.refreshMetadataIfNecessary(['t']);
  for (const hour of [1, 3]) {
    t.mock.timers.setTime(hour * 3_600_000);
    await brokers.refreshMetadataIfNecessary(['t']);
  }
  assert.equal(brokers.refreshes, 1);
  brokers.metadataExpireAt = performance.now() - 1;
  await brokers.refreshMetadataIfNecessary(['t']);
  await brokers.refreshMetadataIfNecessary(['other']);
  brokers.metadataExpireAt = null; // kafkajs: a broker was given up
  await brokers.refreshMetadataIfNecessary(['t']);
  assert.equal(brokers.refreshes, 4);
});
