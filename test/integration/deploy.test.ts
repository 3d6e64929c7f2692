/** What deploy/ and docker-compose.yml give to the programs is accepted by those programs. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { Metrics } from '../../src/io/telemetry/metrics.ts';
import { ReplayMetrics } from '../../src/services/replay/metrics.ts';
import { createRunFolder, ROOT, removeRunFolder } from '../lab/cache.ts';
import { runPenstock } from '../lab/deployment/penstock.ts';
import { findVictoria } from '../lab/servers/victoria-binaries.ts';

interface Compose {
  services: Record<string, { image: string; ports?: string[]; volumes?: string[] }>;
}

const compose = parse(readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8'), {
  merge: true,
}) as Compose;
const services = Object.entries(compose.services);

describe('docker-compose.yml', () => {
  test('pins every image to a version', () => {
    for (const [name, { image }] of services) assert.match(image, /:v?\d+\.\d+\.\d+$/, name);
  });

  test('publishes ports on the loopback address alone', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    assert.ok(ports.length > 0);
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
  });

  test('mounts files that exist', () => {
    const mounts = services
      .flatMap(([, service]) => service.volumes ?? [])
      .filter((mount) => mount.startsWith('./'));
    assert.ok(mounts.length > 0);
    for (const mount of mounts) assert.ok(existsSync(path.join(ROOT, mount.split(':')[0]!)), mount);
  });
});

test('penstock check accepts deploy/compose/penstock.yml', async () => {
  const result = await runPenstock(['check'], { configFile: 'deploy/compose/penstock.yml' });
  assert.equal(result.code, 0, result.stderr);
});

test('every aggregation keeps the group labels and the task label of every route', () => {
  const read = (file: string): unknown => parse(readFileSync(path.join(ROOT, file), 'utf8'));
  const { routes } = read('deploy/compose/penstock.yml') as {
    routes: { name: string; task: { labels: string[]; label?: string } }[];
  };
  const rules = read('deploy/streamaggr.yml') as { name: string; by: string[]; enable_windows: boolean }[];
  assert.ok(routes.length > 0 && rules.length > 0);
  for (const { name, by, enable_windows } of rules) {
    assert.equal(enable_windows, true, name);
    for (const { task } of routes)
      for (const label of [...task.labels, task.label ?? 'stream_task_id'])
        assert.ok(by.includes(label), name);
  }
});

describe('deploy/vmalert', () => {
  const dryRun = async (rules: string) => {
    const folder = createRunFolder('vmalert');
    const vmalert = await findVictoria('vmalert');
    const args = ['-dryRun', `-rule=${rules}`, '-datasource.url=http://127.0.0.1:1'];
    const check = vmalert.start({ name: 'vmalert', args, folder });
    const exit = await check.waitForExit();
    const log = check.log();
    removeRunFolder(folder);
    return { ...exit, log };
  };

  test('vmalert accepts the rules', async () => {
    const result = await dryRun(path.join(ROOT, 'deploy/vmalert/*.yml'));
    assert.equal(result.code, 0, result.log);
  });

  test('vmalert refuses a file that holds no rules', async () => {
    const result = await dryRun(path.join(ROOT, 'deploy/streamaggr.yml'));
    assert.notEqual(result.code, 0);
  });
});

test('the dashboard and the alerts ask for metrics that a Penstock process has', async () => {
  const registries = [new Metrics().registry, new ReplayMetrics().registry];
  const metrics = (await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))).flat();
  const known = new Set(
    metrics.map(({ name, type }) => (String(type) === 'histogram' ? `${name}_bucket` : name)),
  );
  const files = ['deploy/grafana/dashboards/penstock.json', 'deploy/vmalert/penstock.yml'];
  const asked = files.flatMap(
    (file) => readFileSync(path.join(ROOT, file), 'utf8').match(/\bpenstock_[a-z_]+/g) ?? [],
  );
  assert.ok(asked.length > 0);
  assert.deepEqual(
    [...new Set(asked)].filter((name) => !known.has(name)),
    [],
  );
});
