import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { GroupGauges, type ObservedPartition } from '../../../src/telemetry/group-gauges.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';

const SESSION_MS = 15_000;
const POLL_MS = 5_000;
const HELD: readonly ObservedPartition[] = [{ topic: 't', partition: 0, state: 'consuming', queuedBytes: 0 }];

/** One partition of a group and its gauges, at a clock that the test moves. */
class Group {
  ms = 1_760_000_000_000;
  /** Offsets of the partition; undefined while Kafka is away. */
  offsets: { end: bigint; committed: bigint } | undefined = { end: 10n, committed: 10n };
  /** Whether the group answers the heartbeats. */
  answers = true;
  readonly reader = {
    joined: true,
    heardMs: this.ms,
    sessionTimeout: SESSION_MS,
    partitions: HELD,
  };
  readonly gauges = new GroupGauges(
    this.reader,
    {
      offsetBounds: async () => new Map([[0, { low: 0n, high: this.#offsets().end }]]),
      committedOffsets: async () => new Map([[0, this.#offsets().committed]]),
    },
    new Metrics(),
    'g',
    () => this.ms,
  );

  async start(): Promise<this> {
    this.gauges.start();
    await setImmediate();
    return this;
  }

  /** The time passes, in steps from one look at the offsets to the next. */
  async pass(ms: number): Promise<void> {
    for (const end = this.ms + ms; this.ms < end; ) {
      const step = Math.min(POLL_MS, end - this.ms);
      this.ms += step;
      if (this.answers) this.reader.heardMs = this.ms;
      mock.timers.tick(step);
      await setImmediate();
    }
  }

  get reason(): string {
    const readiness = this.gauges.readiness();
    return readiness.ready ? '' : readiness.reason;
  }

  #offsets() {
    if (this.offsets === undefined) throw new Error('Kafka is away');
    return this.offsets;
  }
}

describe('the readiness of a group member', () => {
  let group: Group;
  beforeEach(async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    group = await new Group().start();
  });
  afterEach(() => mock.timers.reset());

  it('ends with its membership', () => {
    assert.equal(group.reason, '');
    group.reader.joined = false;
    assert.equal(group.reason, 'not a member of the consumer group g');
  });

  it('ends when the group has not answered for a session timeout, and begins when it does', async () => {
    group.answers = false;
    await group.pass(SESSION_MS);
    assert.equal(group.reason, '');
    await group.pass(2_000);
    assert.equal(group.reason, 'the consumer group g has not answered for 17 s');
    group.answers = true;
    await group.pass(1_000);
    assert.equal(group.reason, '');
  });

  it('ends a minute after the last commit when records wait, and begins with the next commit', async () => {
    group.offsets = { end: 12n, committed: 10n };
    await group.pass(30_000);
    group.gauges.committed({ topic: 't', partition: 0 }, 11n);
    await group.pass(59_000);
    assert.equal(group.reason, '');
    await group.pass(1_000);
    assert.equal(group.reason, 't/0 has 1 records to read and no commit for 60 s');
    group.gauges.committed({ topic: 't', partition: 0 }, 12n);
    assert.equal(group.reason, '');
  });

  it('goes by the time that the first record came, not by that of the last commit', async () => {
    await group.pass(3_600_000);
    group.offsets = { end: 11n, committed: 10n };
    await group.pass(POLL_MS);
    assert.equal(group.reason, '');
    await group.pass(60_000);
    assert.equal(group.reason, 't/0 has 1 records to read and no commit for 60 s');
  });

  it('is not spoilt by the first record after Kafka was away', async () => {
    group.offsets = undefined;
    await group.pass(3_600_000);
    group.offsets = { end: 11n, committed: 10n };
    await group.pass(POLL_MS);
    assert.equal(group.reason, '');
  });

  it('is not spoilt by records that have waited while the group did not answer', async () => {
    group.offsets = { end: 12n, committed: 10n };
    await group.pass(POLL_MS);
    group.offsets = undefined;
    group.answers = false;
    await group.pass(3_600_000);
    group.offsets = { end: 20n, committed: 10n };
    group.answers = true;
    await group.pass(POLL_MS);
    assert.equal(group.reason, '');
    await group.pass(60_000);
    assert.match(group.reason, /^t\/0 has 10 records to read and no commit for 6\d s$/);
  });

  it('is not spoilt by a partition that another group still works on, and then counts from its beginning', async () => {
    group.offsets = { end: 12n, committed: 0n };
    group.reader.partitions = HELD.map((held) => ({ ...held, waitsFor: 'other' }));
    await group.pass(3_600_000);
    assert.equal(group.reason, '');
    assert.deepEqual(group.gauges.partitions(), [
      { topic: 't', partition: 0, state: 'consuming', queuedBytes: 0, lag: null, waits_for_group: 'other' },
    ]);
    group.reader.partitions = HELD;
    group.gauges.begun({ topic: 't', partition: 0 });
    await group.pass(POLL_MS);
    assert.equal(group.reason, '');
    await group.pass(60_000);
    assert.equal(group.reason, 't/0 has 12 records to read and no commit for 60 s');
  });

  it('is not spoilt by the first record of a partition that was elsewhere', async () => {
    group.offsets = { end: 12n, committed: 10n };
    await group.pass(POLL_MS);
    group.reader.partitions = [];
    await group.pass(3_600_000);
    group.offsets = { end: 21n, committed: 20n };
    group.reader.partitions = HELD;
    assert.equal(group.reason, '');
    await group.pass(POLL_MS);
    assert.equal(group.reason, '');
    assert.deepEqual(group.gauges.partitions(), [{ ...HELD[0], lag: 1 }]);
  });

  it('does not go back to a commit that is older than the last', async () => {
    group.offsets = { end: 12n, committed: 10n };
    group.gauges.committed({ topic: 't', partition: 0 }, 12n);
    await group.pass(3_600_000);
    assert.equal(group.reason, '');
  });
});
