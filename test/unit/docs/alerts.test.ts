/** docs/operations/alerts.md lists every alert of deploy/vmalert, and both name metrics and labels that exist. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Registry } from 'prom-client';
import { parse } from 'yaml';
import { Metrics } from '../../../src/io/telemetry/metrics.ts';
import { ReplayMetrics } from '../../../src/services/replay/metrics.ts';
import { ROOT } from '../../lab/cache.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/operations/alerts.md'), 'utf8');
const registries = [new Metrics().registry, new ReplayMetrics().registry];

/** Name ▸ labels. */
async function existing(registry: Registry): Promise<[string, string][]> {
  const metrics = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('penstock_'));
  return metrics.map(({ name }) => {
    const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
    return [name, [...labelNames].sort().join()];
  });
}

test('what pages say of metrics exists', async () => {
  const names = new Set((await Promise.all(registries.map(existing))).flat().map(([name]) => name));
  const said = globSync('docs/**/*.md', { cwd: ROOT }).flatMap((file) => {
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    return [...text.matchAll(/\bpenstock_[a-z_]*[a-z]\b/g)].map(([name]) => ({ file, name }));
  });
  assert.ok(said.length > 80, `${said.length}`);
  const missing = said.filter(({ name }) => !names.has(name) && !names.has(name.replace(/_bucket$/, '')));
  assert.deepEqual(missing, []);
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

test('every alert names a runbook that there is, and that names the alert', () => {
  const { groups } = parse(readFileSync(path.join(ROOT, 'deploy/vmalert/penstock.yml'), 'utf8')) as {
    groups: { rules: { alert: string; annotations: { runbook?: string } }[] }[];
  };
  const sections = readFileSync(path.join(ROOT, 'docs/operations/runbooks.md'), 'utf8').split(/^## /m);
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-');
  for (const { alert, annotations } of groups.flatMap(({ rules }) => rules)) {
    const [page, anchor] = (annotations.runbook ?? '').split('#');
    assert.equal(page, 'docs/operations/runbooks.md', alert);
    const section = sections.find((text) => slug(text.split('\n')[0]!) === anchor);
    assert.ok(section?.includes(`\`${alert}\``), `${alert}: ${anchor}`);
  }
});
