import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FetchedRecord } from '../../../../src/io/kafka/partition-queue.ts';
import { createLog } from '../../../../src/io/telemetry/log.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';
import { DrainEvents } from '../../../../src/services/drain/events.ts';

const NOW = 1_760_000_000_000;
const LATE_AFTER = 60_000;

/** What is counted as late of a record of five samples that is delivered at an age. */
async function late(ageMs: number, lateAfter = LATE_AFTER, headers = {}): Promise<number> {
  const metrics = new Metrics();
  metrics.beginDrain('n', [{ topic: 'tasks', route: 'r' }]);
  const events = new DrainEvents(
    metrics,
    createLog('silent', 'drain'),
    'n',
    () => 'r',
    () => lateAfter,
  );
  const record: FetchedRecord = {
    topic: 'tasks',
    partition: 0,
    offset: 7n,
    timestamp: NOW - ageMs,
    key: null,
    value: Buffer.from('x'),
    headers: { 'penstock-samples': '5', 'penstock-series': '2', ...headers },
  };
  events.delivered(record, [], NOW);
  const { values } = await metrics.late.get();
  assert.equal(values.length, 1);
  return values[0]!.value;
}

test('samples of a record that is delivered later than late_after count as late', async () => {
  assert.equal(await late(LATE_AFTER), 0);
  assert.equal(await late(LATE_AFTER + 1), 5);
  assert.equal(await late(-LATE_AFTER), 0);
});

test('with late_after 0 none do, nor do those of a record without a time', async () => {
  assert.equal(await late(86_400_000, 0), 0);
  assert.equal(await late(NOW + 1), 0);
});

test('the age is that of the source, also of a dead letter that was redriven', async () => {
  const source = { 'penstock-timestamp': String(NOW - LATE_AFTER - 1) };
  assert.equal(await late(0, LATE_AFTER, source), 5);
  assert.equal(await late(0, LATE_AFTER, { ...source, 'penstock-redriven': '1' }), 5);
});
