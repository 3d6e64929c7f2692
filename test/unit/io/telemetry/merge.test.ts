import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { accumulated, labelled, merged, mergedText } from '../../../../src/io/telemetry/merge.ts';

async function metricsOf(count: number, lag: number, seconds: number, resident: number) {
  const registers = [new Registry()];
  new Counter({ name: 'samples_total', help: 'Samples.', labelNames: ['route'], registers }).inc(
    { route: 'r' },
    count,
  );
  new Gauge({ name: 'lag', help: 'Lag.', registers }).set(lag);
  new Histogram({ name: 'step_seconds', help: 'Steps.', buckets: [1, 2], registers }).observe(seconds);
  new Gauge({ name: 'process_resident_memory_bytes', help: 'Resident.', registers }).set(resident);
  return await registers[0]!.getMetricsAsJSON();
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('values with the same labels are added, figures of a process keep apart', async () => {
  const parts = [
    labelled(await metricsOf(3, 10, 0.5, 100), '0'),
    labelled(await metricsOf(4, 5, 1.5, 200), '1'),
  ];
  assert.deepEqual(lines(await mergedText(parts)), [
    'samples_total{route="r"} 7',
    'lag 15',
    'step_seconds_bucket{le="1"} 1',
    'step_seconds_bucket{le="2"} 2',
    'step_seconds_bucket{le="+Inf"} 2',
    'step_seconds_sum 2',
    'step_seconds_count 2',
    'process_resident_memory_bytes{process="0"} 100',
    'process_resident_memory_bytes{process="1"} 200',
  ]);
});

test('of a process that has ended stays what it counted, not what it had', async () => {
  const past = accumulated(labelled(await metricsOf(3, 10, 0.5, 100), '0'));
  const present = labelled(await metricsOf(1, 2, 3, 50), '0');
  assert.deepEqual(lines(await mergedText([await merged([past, past]), present])), [
    'samples_total{route="r"} 7',
    'step_seconds_bucket{le="1"} 2',
    'step_seconds_bucket{le="2"} 2',
    'step_seconds_bucket{le="+Inf"} 3',
    'step_seconds_sum 4',
    'step_seconds_count 3',
    'lag 2',
    'process_resident_memory_bytes{process="0"} 50',
  ]);
});
