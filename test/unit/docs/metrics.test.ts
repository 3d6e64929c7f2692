/** docs/metrics.md lists every metric with its labels, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Registry } from 'prom-client';
import { ReplayMetrics } from '../../../src/replay/metrics.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { ROOT } from '../../support/cache.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/metrics.md'), 'utf8');
const registries = [new Metrics().registry, new ReplayMetrics().registry];

/** Labels by name of the metric, as the tables have them. */
function documented(): Map<string, string> {
  const rows = PAGE.split('\n')
    .filter((line) => line.startsWith('| `penstock_'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return new Map(
    rows.flatMap(([, names = '', labels = '']) =>
      [...names.matchAll(/`(penstock_\w+)`/g)].map(([, name]) => [name!, labels.split(/,\s*/).sort().join()]),
    ),
  );
}

async function existing(registry: Registry): Promise<[string, string][]> {
  const metrics = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('penstock_'));
  return metrics.map(({ name }) => {
    const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
    return [name, [...labelNames].sort().join()];
  });
}

test('every metric is documented, with its labels, and what is documented exists', async () => {
  const lists = await Promise.all(registries.map(existing));
  const byName = (map: Iterable<[string, string]>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(byName(documented()), byName(lists.flat()));
});

test('what the page says of metrics in its text exists', async () => {
  const names = new Set((await Promise.all(registries.map(existing))).flat().map(([name]) => name));
  const said = new Set([...PAGE.matchAll(/\bpenstock_[a-z_]*[a-z]\b/g)].map(([name]) => name));
  assert.ok(said.size > 40);
  assert.deepEqual(
    [...said].filter((name) => !names.has(name)),
    [],
  );
});
