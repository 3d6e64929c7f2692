import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { RetryableError } from '../../../../src/core/model/errors.ts';
import { uncompress } from '../../../../src/core/wire/snappy.ts';
import { PartitionLostError } from '../../../../src/io/kafka/errors.ts';
import { AssignedPartition } from '../../../../src/io/kafka/group/assigned-partition.ts';
import type { RemoteWriteRequest } from '../../../../src/io/remote-write/client.ts';
import type { Refused } from '../../../../src/io/remote-write/deliver.ts';
import { AmbiguousDeliveryError, HttpRefusalError } from '../../../../src/io/remote-write/errors.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';
import { DrainEvents } from '../../../../src/services/drain/events.ts';
import { Forwarder, type ForwarderOptions } from '../../../../src/services/drain/forwarder.ts';
import type { Handover } from '../../../../src/services/drain/turn.ts';
import { namedSeries, writeRequest } from '../../../lab/generator/write-request.ts';
import { SILENT } from '../../../support/kafka-data.ts';

const GROUP = {
  pause: () => undefined,
  resume: () => undefined,
  seek: () => undefined,
  queueShare: () => 1 << 20,
  fetchShare: () => 1,
};

function body(...names: string[]): Buffer {
  return writeRequest(namedSeries(names));
}

function namesIn({ body }: RemoteWriteRequest): string {
  const text = uncompress(body, 1e6).toString('latin1');
  return [...text.matchAll(/(good|bad)_\d/g)].map(([name]) => name).join(' ');
}

describe('a forwarder', () => {
  let partition: AssignedPartition;
  /** What the node was sent, and what was committed, in order. */
  let done: string[];
  let send: (names: string) => Promise<number>;
  let bury: (refused: readonly Refused[]) => Promise<void>;
  let metrics: Metrics;

  beforeEach(() => {
    partition = new AssignedPartition('tasks', 0, { generationId: 1, memberId: 'm' }, GROUP);
    partition.begin(0n);
    done = [];
    metrics = new Metrics();
    bury = async (refused) => {
      done.push(`buried ${refused.length}`);
    };
    send = async (names) => {
      if (names.includes('bad')) throw new HttpRefusalError(400, 'no');
      return 204;
    };
  });

  function offer(offset: number, value: Buffer, more: Record<string, string> = {}): void {
    const headers = { 'penstock-series': '2', 'penstock-samples': '2', ...more };
    partition.offer({
      topic: 'tasks',
      partition: 0,
      fetchedOffset: String(offset),
      highWatermark: '100',
      messages: [{ offset: String(offset), key: null, value, timestamp: '7', headers }],
      rawMessages: [{}],
      lastOffset: () => String(offset),
    });
  }

  function run(handover: Handover = 'clean'): Promise<void> {
    const options: ForwarderOptions = {
      reader: {
        ensureOwned: async () => partition.assertOwned(),
        commit: async (_: AssignedPartition, offset: bigint, text = '') => {
          partition.assertOwned();
          done.push(`commit ${offset} ${text}`);
        },
      },
      client: {
        sentAll: true,
        probeFirst: () => done.push('probe'),
        send: async (request) => {
          const names = namesIn(request);
          const code = await send(names);
          done.push(names);
          return code;
        },
      },
      events: new DrainEvents(metrics, SILENT, 'node', () => 'route'),
      backoffMinMs: 1,
      backoffMaxMs: 2,
      tenantHeaders: [],
      writeDeadLetters: (_, refused) => bury(refused),
      setAside: async ({ offset }) => {
        done.push(`set aside ${offset}`);
      },
      committed: () => undefined,
      turn: 3,
      systemMs: Date.now,
    };
    return new Forwarder(partition, { offset: 0n, handover }, options).run(() => undefined);
  }

  const until = async (text: string) => {
    while (!done.includes(text)) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  test('forwards no record of a version that it does not know, and keeps it', async () => {
    let reason = '';
    bury = async ([refused]) => {
      reason = `${refused!.error.reason}: ${refused!.error.message}`;
      done.push(`buried ${refused!.body.length}`);
    };
    const [unknown, known] = [body('good_1'), body('good_2')];
    offer(0, unknown, { 'penstock-version': '2' });
    offer(1, known, { 'penstock-version': '1' });
    const running = run();
    await until('commit 2 turn 3');
    partition.drain();
    await running;
    assert.deepEqual(done.slice(1), [
      `buried ${unknown.length}`,
      'commit 1 turn 3',
      'good_2',
      'commit 2 turn 3',
      'commit 2 turn 3 handed over',
    ]);
    assert.match(reason, /^unknown_version: penstock-version is "2", and this release reads 1: upgrade/);
    const text = await metrics.registry.metrics();
    assert.match(text, /penstock_samples_total\{stage="deliver",route="route"\} 2\n/);
  });

  test('sends no part of a record again while the dead-letter topic is away', async () => {
    let attempts = 0;
    bury = async () => {
      attempts += 1;
      if (attempts < 4) throw new RetryableError('away');
    };
    offer(0, body('good_1', 'bad_2'));
    const running = run();
    await until('commit 1 turn 3');
    partition.drain();
    await running;
    assert.deepEqual(done, ['commit 0 turn 3', 'good_1', 'commit 1 turn 3', 'commit 1 turn 3 handed over']);
    assert.equal(attempts, 4);
    const text = await metrics.registry.metrics();
    assert.match(text, /penstock_samples_total\{stage="deliver",route="route"\} 1\n/);
    assert.match(text, /penstock_deliver_records_total\{node="node",route="route"\} 1\n/);
  });

  test('gives up what it could not bury when the partition is lost, and commits nothing', async () => {
    bury = async () => {
      partition.lose();
      throw new RetryableError('away');
    };
    offer(0, body('good_1', 'bad_2'));
    await assert.rejects(run(), PartitionLostError);
    assert.deepEqual(done, ['commit 0 turn 3', 'good_1']);
  });

  test('a record of which a part was taken is finished also when the drain stops', async () => {
    const plain = send;
    send = async (names) => {
      if (names === 'good_1') partition.drain();
      return await plain(names);
    };
    offer(0, body('good_1', 'bad_2', 'good_3', 'good_4'));
    await run();
    assert.deepEqual(done.slice(1), [
      'good_1',
      'good_3 good_4',
      'buried 1',
      'commit 1 turn 3',
      'commit 1 turn 3 handed over',
    ]);
  });

  test('a stop before anything was taken leaves the record to the next drain', async () => {
    send = async () => {
      partition.drain();
      throw new RetryableError('503');
    };
    offer(0, body('good_1', 'good_2'));
    await run();
    assert.deepEqual(done, ['commit 0 turn 3', 'commit 0 turn 3 handed over']);
  });

  test('after a drain that died, one that sent nothing does not say that it hands over', async () => {
    partition.drain();
    await run('unclean');
    assert.deepEqual(done, []);
  });

  test('a record that may have been taken is not handed over', async () => {
    send = async () => {
      partition.drain();
      throw new AmbiguousDeliveryError('no answer');
    };
    offer(0, body('good_1'));
    await run();
    assert.deepEqual(done, ['commit 0 turn 3']);
  });

  test('after a drain that died, the record in doubt may come behind control records', async () => {
    const running = run('unclean');
    partition.offer({
      topic: 'tasks',
      partition: 0,
      fetchedOffset: '0',
      highWatermark: '100',
      messages: [],
      rawMessages: [],
      lastOffset: () => '1',
    });
    await until('commit 2 turn 3');
    partition.drain();
    await running;
    assert.deepEqual(done, ['commit 2 turn 3']);
  });

  test('after a drain that died, a first record that cannot be forwarded leaves no doubt', async () => {
    offer(0, Buffer.alloc(0));
    const running = run('unclean');
    await until('commit 1 turn 3');
    partition.drain();
    await running;
    assert.deepEqual(done, ['buried 1', 'commit 1 turn 3', 'commit 1 turn 3 handed over']);
  });

  test('a defect in the middle of a record sends all of it again, unless the drain stops', async () => {
    const plain = send;
    send = async (names) => {
      if (names !== 'good_3') return await plain(names);
      partition.drain();
      throw new TypeError('nobody foresaw this');
    };
    offer(0, body('good_1', 'bad_2', 'good_3', 'bad_4'));
    await run();
    assert.deepEqual(done, ['commit 0 turn 3', 'good_1', 'probe']);
  });

  test('a record that leads to a defect again and again is set aside, and the next one is sent', async () => {
    const reasons: string[] = [];
    bury = async (refused) => {
      for (const { error } of refused) reasons.push(error.reason);
    };
    let thrown = 0;
    const plain = send;
    send = async (names) => {
      if (names !== 'good_7') return await plain(names);
      thrown++;
      throw new TypeError('nobody foresaw this');
    };
    offer(0, body('good_7'));
    offer(1, body('good_1'));
    const running = run();
    await until('commit 2 turn 3');
    partition.drain();
    await running;
    assert.deepEqual([thrown, reasons], [2, ['defect']]);
    assert.ok(done.includes('good_1'));
    assert.match(await metrics.registry.metrics(), /penstock_defects_total\{topic="tasks"\} 1\n/);
  });

  test('a defect that does not come again costs no record', async () => {
    let thrown = 0;
    const plain = send;
    send = async (names) => {
      if (thrown++ === 0) throw new TypeError('once');
      return await plain(names);
    };
    offer(0, body('good_1'));
    const running = run();
    await until('commit 1 turn 3');
    partition.drain();
    await running;
    assert.deepEqual(done.slice(0, 3), ['commit 0 turn 3', 'good_1', 'commit 1 turn 3']);
    assert.ok(!done.some((each) => each.startsWith('buried')));
  });

  test('counts every answer of the node', async () => {
    offer(0, body('bad_1', 'bad_2'));
    const running = run('unclean');
    await until('commit 1 turn 3');
    partition.drain();
    await running;
    const text = await metrics.registry.metrics();
    assert.match(text, /penstock_deliver_requests_total\{node="node",code="400"\} 3\n/);
    assert.match(text, /penstock_deliver_possible_repeats_total\{node="node",reason="takeover"\} 1\n/);
    assert.doesNotMatch(text, /penstock_deliver_records_total\{/);
  });
});
