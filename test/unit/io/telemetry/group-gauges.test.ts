import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { GroupGauges, type ObservedPartition } from '../../../../src/io/telemetry/group-gauges.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';

const SESSION_MS = 15_000;
const POLL_MS = 5_000;
const HELD: readonly ObservedPartition[] = [{ topic: 't', partition: 0, state: 'consuming', queuedBytes: 0 }];

/** The system's time when the other clock began. */
const EPOCH_MS = Date.UTC(2026, 0);

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
  readonly metrics = new Metrics();
  readonly gauges = new GroupGauges(
    this.reader,
    {
      knownBounds: async () => ({ bounds: new Map([[0, { low: 0n, high: this.#offsets().end }]]) }),
      committedOffsets: async () => new Map([[0, this.#offsets().committed]]),
    },
    this.metrics,
    'g',
    () => this.ms,
    () => EPOCH_MS + this.ms,
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

  /** What a scrape has of a gauge of the group, by its labels; undefined where it is not exported. */
  async scraped(name: string, labels: string): Promise<number | undefined> {
    GroupGauges.collect([this.gauges], this.metrics);
    const text = await this.metrics.registry.getSingleMetricAsString(`penstock_${name}`);
    const line = text.split('\n').find((each) => each.startsWith(`penstock_${name}{${labels}} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  get lag(): Promise<(number | undefined)[]> {
    const labels = 'group="g",topic="t",partition="0"';
    return Promise.all(
      ['consumer_lag_records', 'consumer_lag_seconds'].map((name) => this.scraped(name, labels)),
    );
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

  it('says why the last attempt failed, as far as that is known', async () => {
    const failing = { ...HELD[0]!, failure: 'Kafka does not end the last transaction of g/t/0' };
    group.reader.partitions = [failing];
    group.offsets = { end: 12n, committed: 10n };
    await group.pass(65_000);
    assert.equal(
      group.reason,
      't/0 has 2 records to read and no commit for 60 s: Kafka does not end the last transaction of g/t/0',
    );
    const [shown] = group.gauges.partitions() as { last_failure?: string }[];
    assert.equal(shown!.last_failure, failing.failure);
    // What is wrong with a topic says more.
    group.reader.partitions = [{ ...failing, trouble: { topic: 'o', message: 'no broker leads topic o' } }];
    assert.match(group.reason, /for 60 s: no broker leads topic o$/);
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
      {
        topic: 't',
        partition: 0,
        state: 'consuming',
        queuedBytes: 0,
        lag: null,
        lag_seconds: null,
        waits_for_group: 'other',
      },
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
    assert.deepEqual(group.gauges.partitions(), [{ ...HELD[0], lag: 1, lag_seconds: 0 }]);
  });

  it('does not go back to a commit that is older than the last', async () => {
    group.offsets = { end: 12n, committed: 10n };
    group.gauges.committed({ topic: 't', partition: 0 }, 12n);
    await group.pass(3_600_000);
    assert.equal(group.reason, '');
  });
});

describe('the lag of a partition', () => {
  let group: Group;
  beforeEach(async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    group = await new Group().start();
  });
  afterEach(() => mock.timers.reset());

  const unknown = () => group.scraped('consumer_lag_unknown_partitions', 'group="g",topic="t"');
  const fetched = (offset: bigint, ageMs: number) => {
    const oldest = { offset, timestamp: EPOCH_MS + group.ms - ageMs };
    group.reader.partitions = [{ ...HELD[0]!, oldest }];
  };

  it('is not exported when Kafka has not told it for three looks, and is again when it does', async () => {
    assert.deepEqual(await group.lag, [0, 0]);
    group.offsets = undefined;
    await group.pass(15_000);
    assert.deepEqual(await group.lag, [0, 0]);
    assert.equal(await unknown(), 0);
    await group.pass(POLL_MS);
    assert.deepEqual(await group.lag, [undefined, undefined]);
    assert.equal(await unknown(), 1);
    group.offsets = { end: 12n, committed: 10n };
    await group.pass(POLL_MS);
    assert.deepEqual(await group.lag, [2, 0]);
    assert.equal(await unknown(), 0);
  });

  it('is asked for once at a time, also where Kafka does not answer at all', async () => {
    let asked = 0;
    group.gauges.stop();
    const silent = () => {
      asked += 1;
      return new Promise<never>(() => undefined);
    };
    const offsets = { knownBounds: silent, committedOffsets: silent };
    const gauges = new GroupGauges(group.reader, offsets, group.metrics, 'g', () => group.ms);
    gauges.start();
    await group.pass(60_000);
    gauges.stop();
    assert.equal(asked, 2);
  });

  it('in seconds is the age of the first record that is not committed', async () => {
    group.offsets = { end: 12n, committed: 10n };
    fetched(10n, 100_000);
    await group.pass(POLL_MS);
    assert.deepEqual(await group.lag, [2, 105]);
    group.reader.partitions = HELD; // its work began again: it is to be fetched anew
    await group.pass(POLL_MS);
    assert.deepEqual(await group.lag, [2, 110]);
  });

  it('in seconds is known of a record that was fetched, also while Kafka does not answer', async () => {
    group.offsets = { end: 12n, committed: 10n };
    fetched(10n, 0);
    await group.pass(POLL_MS);
    group.offsets = undefined;
    await group.pass(40_000);
    assert.deepEqual(await group.lag, [undefined, 45]);
  });

  it('in seconds forgets a record with its commit', async () => {
    group.offsets = { end: 11n, committed: 10n };
    fetched(10n, 100_000);
    await group.pass(POLL_MS);
    group.gauges.committed({ topic: 't', partition: 0 }, 11n);
    assert.deepEqual(await group.lag, [0, 0]);
    group.reader.partitions = HELD;
    assert.deepEqual(await group.lag, [0, 0]);
  });

  it('in seconds goes by when it was first seen, for a record that was not fetched or has no time', async () => {
    group.offsets = { end: 12n, committed: 10n };
    await group.pass(POLL_MS);
    group.reader.partitions = [{ ...HELD[0]!, oldest: { offset: 10n, timestamp: -1 } }];
    await group.pass(20_000);
    assert.deepEqual(await group.lag, [2, 20]);
  });
});

it('the time since a group was heard is told, from the start where it never was', async () => {
  const group = new Group();
  group.reader.heardMs = 0;
  group.ms += 7_000;
  assert.equal(await group.scraped('group_silent_seconds', 'group="g"'), 7);
  group.reader.heardMs = group.ms - 2_000;
  assert.equal(await group.scraped('group_silent_seconds', 'group="g"'), 2);
});
