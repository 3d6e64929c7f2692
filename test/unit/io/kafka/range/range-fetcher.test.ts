import assert from 'node:assert/strict';
import { afterEach, describe, mock, test } from 'node:test';
import type { KafkaAdmin } from '../../../../../src/io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../../../../src/io/kafka/client/connection.ts';
import { type GroupHooks, HOOKS } from '../../../../../src/io/kafka/patch/group-observer.ts';
import { RangeFetcher } from '../../../../../src/io/kafka/range/range-fetcher.ts';
import { RangeQueue } from '../../../../../src/io/kafka/range/range-queue.ts';

/** The made-up cluster: brokers that answer every fetch with "out of range", whatever the partition's bounds are. */
class Cluster {
  asked = 0;
  bounds = { low: 0n, high: 10n };
  #hooks: GroupHooks | undefined;

  get connection(): KafkaConnection {
    const consumer = {
      events: { GROUP_JOIN: 'join', CRASH: 'crash' },
      on() {},
      connect: async () => undefined,
      subscribe: async () => undefined,
      run: async () => {
        const fetch = () => queueMicrotask(() => this.#hooks!.observer.offsetOutOfRange('t', 0));
        this.#hooks!.created({ pause() {}, seek() {}, resume: fetch } as never);
        fetch();
      },
      disconnect: async () => undefined,
    };
    const made = ({ partitionAssigners: [assigner] }: { partitionAssigners: ((of: object) => object)[] }) => {
      this.#hooks = (assigner!({}) as { [HOOKS]: GroupHooks })[HOOKS];
      return consumer;
    };
    return { instance: () => ({ consumer: made }) } as never;
  }

  get admin(): KafkaAdmin {
    const offsetBounds = async () => {
      this.asked += 1;
      if (this.asked > 1_000) throw new Error('asked again and again without a pause');
      return new Map([[0, this.bounds]]);
    };
    return { offsetBounds, client: async () => ({ deleteGroups: async () => [] }) } as never;
  }
}

function reading(cluster: Cluster, now: () => number) {
  const queue = new RangeQueue(0, { from: 5n, to: 9n });
  const options = {
    topic: 't',
    topicId: undefined,
    queues: new Map([[0, queue]]),
    queueShare: 1 << 20,
    onCorruptBatch: 'stop' as const,
    onChange() {},
  };
  return { queue, fetcher: new RangeFetcher(cluster.connection, cluster.admin, options, now) };
}

/** Lets what is due run, second by second. */
async function pass(seconds: number, tick: () => void): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    tick();
    mock.timers.tick(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('an offset that is out of range though the partition has it', () => {
  afterEach(() => mock.timers.reset());

  test('is asked for again with pauses, and ends the reading when that lasts', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    let nowMs = 0;
    const cluster = new Cluster();
    const { fetcher } = reading(cluster, () => nowMs);
    const tick = () => {
      nowMs += 1_000;
    };
    fetcher.start();
    await pass(100, tick);
    fetcher.assertWorking();
    assert.ok(cluster.asked > 10 && cluster.asked < 300, `asked ${cluster.asked} times in 100 s`);
    await pass(60, tick);
    assert.throws(() => fetcher.assertWorking(), /cannot be read to its end/);
    await fetcher.close();
  });

  test('is passed over when retention has deleted it, once', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    const cluster = new Cluster();
    cluster.bounds = { low: 7n, high: 10n };
    const { queue, fetcher } = reading(cluster, () => 0);
    fetcher.start();
    await pass(3, () => undefined);
    fetcher.assertWorking();
    assert.deepEqual([queue.position, cluster.asked], [7n, 1]);
    await fetcher.close();
  });
});
