/** docs/operations/alerts.md lists every metric with its labels, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Registry } from 'prom-client';
import { parse } from 'yaml';
import { ReplayMetrics } from '../../../src/replay/metrics.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { ROOT } from '../../support/cache.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/operations/alerts.md'), 'utf8');
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

test('the page lists the alerts of deploy/vmalert', () => {
  const rules = readFileSync(path.join(ROOT, 'deploy/vmalert/penstock.yml'), 'utf8');
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, alert]) => alert);
  const listed = [...PAGE.matchAll(/^\| `(Penstock\w+)` \|/gm)].map(([, alert]) => alert);
  assert.ok(alerts.length > 20);
  assert.deepEqual(listed.sort(), alerts.sort());
});

test('the rules ask for labels that their metrics have', async () => {
  const { groups } = parse(readFileSync(path.join(ROOT, 'deploy/vmalert/penstock.yml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const labels = new Map((await Promise.all(registries.map(existing))).flat());
  const ofTheScrape = ['job', 'instance', 'process'];
  for (const { alert, expr } of groups.flatMap((group) => group.rules)) {
    const asked = [...expr.matchAll(/(?:by|group_left|ignoring) \(([^)]*)\)/g)].flatMap(([, list]) =>
      list!.split(',').map((each) => each.trim()),
    );
    const matched = [...expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label!);
    const metrics = [...expr.matchAll(/\bpenstock_\w+/g)].map(([name]) => name);
    const known = new Set([...ofTheScrape, ...metrics.flatMap((name) => labels.get(name)!.split(','))]);
    for (const label of [...asked, ...matched]) assert.ok(known.has(label), `${alert}: ${label}`);
  }
});
