import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import type { OutgoingRecord } from '../../../../../src/core/model/records.ts';
import { Pipeline } from '../../../../../src/core/pipeline/pipeline.ts';
import { STEP_LIMITS, type StepLimits } from '../../../../../src/core/pipeline/step-limits.ts';
import { RecordsRefusedError } from '../../../../../src/io/kafka/errors.ts';
import { StepSize } from '../../../../../src/io/kafka/produce/step-size.ts';
import type { JournalStep } from '../../../../../src/services/replay/journal.ts';
import { Selection } from '../../../../../src/services/replay/plan/selection.ts';
import { RouteTarget } from '../../../../../src/services/replay/target/route-target.ts';
import { everyRoute, seriesRecord } from '../../../../support/records.ts';

const TENANT = 'tenant';

/** Writes a step of one chunk a partition, each record with a tenant of its own; returns the transactions. */
async function write(chunks: ReadonlyMap<number, number>, limits: Partial<StepLimits>) {
  const pipeline = new Pipeline({
    routes: [everyRoute()],
    cacheBytes: 1 << 20,
    maxRecordBytes: () => 1 << 20,
    tenantHeaders: [TENANT],
  });
  const selection = new Selection(
    { match: [], limits: DEFAULT_LIMITS, tenantHeaders: [TENANT], nowMs: Date.now },
    new DecoderRegistry(),
  );
  const sent: { records: readonly OutgoingRecord[]; positions: [number, bigint][]; samples: number }[] = [];
  const journal = {
    id: 'r',
    store: async ({ positions, counts }: JournalStep, records: readonly OutgoingRecord[] = []) => {
      sent.push({ records: [...records], positions: [...positions], samples: counts.samples });
    },
  };
  const target = new RouteTarget(pipeline, selection, journal, {
    size: new StepSize(60_000),
    nowMs: Date.now,
    limits: { ...STEP_LIMITS, ms: 60_000, ...limits },
  });
  const counts = await target.write({
    chunks: [...chunks].map(([partition, records]) => ({
      partition,
      records: Array.from({ length: records }, (_, at) => ({
        ...seriesRecord(at, ['a'], { [TENANT]: `t${partition}-${at}` }),
        partition,
      })),
    })),
    positions: new Map([...chunks].map(([partition, records]) => [partition, BigInt(records)])),
  });
  return { sent, counts };
}

const CHUNKS = new Map([
  [0, 10],
  [1, 3],
]);

test('a step that fits is one transaction, with all its positions', async () => {
  const { sent, counts } = await write(CHUNKS, {});
  assert.deepEqual(
    sent.map(({ records, positions }) => [records.length, positions]),
    [
      [
        13,
        [
          [0, 10n],
          [1, 3n],
        ],
      ],
    ],
  );
  assert.deepEqual([counts.records, counts.samples], [13, 13]);
});

test('one that becomes more is several, each with the positions that it reaches and what is behind them', async () => {
  const { sent, counts } = await write(CHUNKS, { outputs: 4 });
  assert.ok(sent.length > 2);
  const reached = new Map<number, bigint>();
  for (const { records, positions } of sent) {
    assert.ok(records.length <= 2 * 4, `${records.length} records`);
    for (const { headers } of records) {
      const [, partition, last] = /\/(\d+)\/(?:\d+-)?(\d+)$/.exec(String(headers['penstock-source']))!;
      const position = new Map(positions).get(Number(partition));
      assert.ok(
        position !== undefined && position > BigInt(last!),
        'its position is in the same transaction',
      );
      assert.ok(BigInt(last!) >= (reached.get(Number(partition)) ?? 0n), 'it was not sent before');
    }
    for (const [partition, position] of positions) reached.set(partition, position);
  }
  assert.deepEqual(
    [...reached],
    [
      [0, 10n],
      [1, 3n],
    ],
  );
  const sum = (of: (each: (typeof sent)[number]) => number) =>
    sent.reduce((total, each) => total + of(each), 0);
  assert.deepEqual([sum(({ records }) => records.length), sum(({ samples }) => samples)], [13, 13]);
  assert.deepEqual([counts.records, counts.samples], [13, 13]);
});

test('what a broker refuses is halved down to the record at fault, which is counted; all others are written once', async () => {
  const pipeline = new Pipeline({
    routes: [everyRoute()],
    cacheBytes: 1 << 20,
    maxRecordBytes: () => 1 << 20,
    tenantHeaders: [TENANT],
  });
  const limits = { match: [], limits: DEFAULT_LIMITS, tenantHeaders: [TENANT], nowMs: Date.now };
  const selection = new Selection(limits, new DecoderRegistry());
  const size = new StepSize(60_000);
  const written: string[] = [];
  const refused = new Map<string, number>();
  let next = 0n;
  const journal = {
    id: 'r',
    store: async ({ positions, counts }: JournalStep, records: readonly OutgoingRecord[] = []) => {
      const tenants = records.map(({ headers }) => String(headers[TENANT]));
      if (tenants.includes('t0-5')) throw new RecordsRefusedError('message_too_large', 'too large');
      written.push(...tenants);
      for (const [reason, count] of counts.refused) refused.set(reason, (refused.get(reason) ?? 0) + count);
      next = positions.get(0) ?? next;
    },
  };
  const records = Array.from({ length: 16 }, (_, at) => seriesRecord(at, ['a'], { [TENANT]: `t0-${at}` }));
  for (let attempt = 0; next < 16n; attempt++) {
    assert.ok(attempt < 20, 'it comes to no end');
    // As after any error: another target, from what is stored.
    const target = new RouteTarget(pipeline, selection, journal, { size, nowMs: Date.now });
    const chunk = { partition: 0, records: records.slice(Number(next)) };
    await target.write({ chunks: [chunk], positions: new Map([[0, 16n]]) }).catch((error: unknown) => {
      assert.ok(error instanceof RetryableError);
    });
  }
  assert.deepEqual(
    written,
    records.map((_, at) => `t0-${at}`).filter((tenant) => tenant !== 't0-5'),
  );
  assert.deepEqual([...refused], [['message_too_large', 1]]);
});
