import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsPage, Rate } from '../../lab/deployment/metrics-page.ts';

test('a metrics page is summed by name and labels', () => {
  const page = new MetricsPage(
    [
      '# HELP samples_total Samples.',
      'samples_total{stage="publish",route="a \\"b\\" {c}"} 3',
      'samples_total{stage="publish",route="d"} 4.5',
      'samples_total{stage="ingest",route=""} 100',
      'up 1',
      '',
    ].join('\n'),
  );
  assert.equal(page.sum('samples_total', { stage: 'publish' }), 7.5);
  assert.equal(page.sum('samples_total'), 107.5);
  assert.equal(page.sum('up'), 1);
  assert.equal(page.sum('absent_total'), 0);
  assert.equal(page.find('samples_total', { route: 'd' })[0]?.value, 4.5);
});

test('a rate is that of the newest readings', () => {
  const rate = new Rate(2_000);
  assert.equal(rate.perSecond, 0);
  rate.add(1_000, 0);
  assert.equal(rate.perSecond, 0);
  rate.add(1_010, 1_000);
  assert.equal(rate.perSecond, 10);
  rate.add(1_110, 2_000);
  rate.add(1_210, 3_000);
  assert.equal(rate.perSecond, 100);
  assert.equal(rate.growth, 200);
});
