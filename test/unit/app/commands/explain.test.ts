import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { WIDTH } from '../../../../src/app/commands/text/wrap.ts';
import { loadConfig } from '../../../../src/app/config/load.ts';
import { createOwnership } from '../../../../src/core/hash/ownership.ts';
import { compileTask } from '../../../../src/core/hash/task.ts';
import { labelsFrom } from '../../../../src/core/model/labels.ts';
import { compileRoutes } from '../../../../src/core/route/route.ts';
import { runPenstock } from '../../../lab/deployment/penstock.ts';
import { obeyed } from '../../../support/obeyed.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-explain-'));
after(() => rmSync(folder, { recursive: true }));

const EXAMPLE = 'config/penstock.yml';
const SERIES = '{__name__="http_requests_total",service="cart",namespace="shop"}';

const small = join(folder, 'penstock.yml');
writeFileSync(
  small,
  `
routes:
  - name: pods
    match: ['{job="app"}', 'up{pod!=""}']
    relabel:
      - { action: drop, source_labels: [env], regex: dev }
      - { action: labeldrop, regex: pod }
      - { source_labels: [service], regex: '(.+)-v[0-9]+', target_label: service, replacement: '$1' }
    task: { labels: [service], count: 8, spread: 3, hash: mod, label: task }
    topic: pods.tasks
  - name: all
    task: { labels: [__name__], count: 4 }
`,
);

async function explain(args: string[], configFile = EXAMPLE) {
  return await runPenstock(['explain', ...args], { configFile });
}

async function explainJson(args: string[], configFile = EXAMPLE) {
  const { code, stdout, stderr } = await explain([...args, '--json'], configFile);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

describe('penstock explain', () => {
  it('shows a series that would command the terminal, and does not obey it', async () => {
    const nasty = '{__name__="up",pod="\u001b[2J\u009b31m\u202e\u007f",job="app"}';
    for (const flags of [[], ['--json']]) {
      const { code, stdout, stderr } = await explain([nasty, ...flags], small);
      assert.equal(code, 0, stderr);
      assert.deepEqual(obeyed(`${stdout}${stderr}`.replaceAll('\n', '')), []);
      assert.match(stdout, /\\u009b31m/);
    }
  });

  it('says where a series goes, as the hashes have it', async () => {
    const task = compileTask({ labels: ['service', 'namespace'], count: 32, spread: 1, hash: 'jump' });
    const { task: expected, hash } = task.explain(labelsFrom({ namespace: 'shop', service: 'cart' }));
    const routesOfAll = compileRoutes(loadConfig({ file: EXAMPLE, env: {} }));
    const owners = createOwnership(routesOfAll, ['vmagent-0', 'vmagent-1', 'vmagent-2'], 'balanced');
    const node = owners.owner('metrics.tasks.http', expected, 0);

    const { series, labels, routes } = await explainJson([SERIES]);
    assert.equal(series, 'http_requests_total{namespace="shop",service="cart"}');
    assert.deepEqual(labels, { __name__: 'http_requests_total', namespace: 'shop', service: 'cart' });
    assert.deepEqual(
      routes.map((route: { route: string; matched: boolean }) => [route.route, route.matched]),
      [
        ['http', true],
        ['business', false],
        ['containers', false],
      ],
    );
    const [http] = routes;
    assert.equal(http.group, '{namespace="shop",service="cart"}');
    assert.deepEqual(http.group_labels, { service: 'cart', namespace: 'shop' });
    assert.equal(http.hash, hash);
    assert.equal(http.task, expected);
    assert.equal(http.partition, expected);
    assert.equal(http.topic, 'metrics.tasks.http');
    assert.equal(http.vmagent, node);
    assert.equal(http.steps.length, 4);
    assert.equal(http.output_labels.job, 'shop/cart');
    assert.equal(http.output_labels.stream_task_id, String(expected));

    const { code, stdout } = await explain([SERIES]);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^ +task +${expected}$`, 'm'));
    assert.match(stdout, new RegExp(`^ +topic +metrics\\.tasks\\.http, partition ${expected}$`, 'm'));
    assert.match(stdout, new RegExp(`^ +vmagent +${node} at http://${node}:8429/api/v1/write$`, 'm'));
    assert.match(stdout, new RegExp(`^ +hash +${hash} \\(jump`, 'm'));
    assert.match(stdout, /^ +job: absent ▸ "shop\/cart"$/m);
    assert.match(stdout, /job="cadvisor" does not hold: the series has no job/);
  });

  it('the forms of a series give the same', async () => {
    const json = await explainJson([SERIES]);
    assert.deepEqual(await explainJson(['http_requests_total{service="cart",namespace="shop"}']), json);
    const labels = '{"service":"cart","__name__":"http_requests_total","namespace":"shop"}';
    assert.deepEqual(await explainJson(['--labels', labels]), json);
  });

  it('--route tells of one route', async () => {
    const { routes } = await explainJson([SERIES, '--route', 'containers']);
    assert.equal(routes.length, 1);
    assert.equal(routes[0].route, 'containers');
    const { code, stderr } = await explain([SERIES, '--route', 'htp']);
    assert.equal(code, 2);
    assert.match(stderr, /--route htp: there is no such route; expected http\?/);
  });

  it('shows each step, before and after', async () => {
    const { routes } = await explainJson(['up{pod="p-1",service="cart-v2"}'], small);
    const [pods, all] = routes;
    assert.deepEqual(pods.selectors, [
      { selector: '{job="app"}', matched: false, why: ['job="app" does not hold: the series has no job'] },
      { selector: 'up{pod!=""}', matched: true, why: [] },
    ]);
    assert.deepEqual(
      pods.steps.map((step: { changed: boolean }) => step.changed),
      [false, true, true],
    );
    assert.deepEqual(pods.steps[1].before, { __name__: 'up', pod: 'p-1', service: 'cart-v2' });
    assert.deepEqual(pods.steps[1].after, { __name__: 'up', service: 'cart-v2' });
    assert.deepEqual(pods.steps[2].after, { __name__: 'up', service: 'cart' });
    assert.equal(pods.hash_function, 'mod');
    assert.equal(pods.spread, 3);
    assert.equal(pods.task, (Number(BigInt(pods.hash) % 8n) + pods.spread_index) % 8);
    assert.equal(pods.output_labels.task, String(pods.task));
    assert.equal(pods.vmagent, null);
    assert.deepEqual(all.steps, []);
    assert.equal(all.matched, true);

    const { stdout } = await explain(['up{pod="p-1",service="cart-v2"}'], small);
    assert.match(stdout, /2\. labeldrop regex="pod"\n +pod: "p-1" ▸ removed\n/);
    assert.match(stdout, /\n +service: "cart-v2" ▸ "cart"\n/);
    assert.match(stdout, /\n +vmagent +none: the configuration has no nodes\n/);
    assert.match(stdout, /\n +matched +yes, it takes every series\n/);
  });

  it('says where a series is dropped', async () => {
    const { routes } = await explainJson(['{job="app",env="dev"}'], small);
    assert.equal(routes[0].dropped, true);
    assert.equal(routes[0].task, undefined);
    assert.equal(routes[0].steps.length, 1);
    assert.equal(routes[0].steps[0].after, null);
    assert.equal(routes[1].dropped, false);
    const { stdout } = await explain(['{job="app",env="dev"}', '--route', 'pods'], small);
    assert.match(stdout, /1\. drop .*\n +the series is dropped here\n +result +dropped from this route/);
  });

  it('says when no route takes the series', async () => {
    const { code, stdout } = await explain(['nothing_of_this_kind']);
    assert.equal(code, 0);
    assert.match(stdout, /\nNo route takes this series/);
  });

  it('says when a worker would not take the series at all', async () => {
    const labels = Object.fromEntries(Array.from({ length: 41 }, (_, at) => [`l${at}`, 'x']));
    const args = ['--labels', JSON.stringify(labels)];
    const { dead_letter, routes } = await explainJson(args);
    assert.match(dead_letter, /41 labels, more than the limit of 40/);
    assert.deepEqual(routes, []);
    const { stdout } = await explain(args);
    assert.match(stdout, /\nA worker makes this series a dead letter: the series has 41 labels/);
  });

  it('keeps within the width', async () => {
    const labels = Object.fromEntries(
      Array.from({ length: 20 }, (_, at) => [`label_${at}`, `value number ${at}`]),
    );
    const { stdout } = await explain(['--labels', JSON.stringify({ __name__: 'http_x', ...labels })]);
    assert.match(stdout, /label_19="value number 19"/);
    assert.deepEqual(
      stdout.split('\n').filter((line) => line.length > WIDTH),
      [],
    );
  });

  it('--simulate stands alone or beside a series', async () => {
    const alone = await explainJson(['--simulate', 'nodes=5']);
    assert.deepEqual(Object.keys(alone), ['simulation']);
    assert.equal(alone.simulation.after.length, 5);
    assert.deepEqual(
      alone.simulation.routes.map(({ route }: { route: string }) => route),
      ['http', 'business', 'containers'],
    );
    const both = await explainJson([SERIES, '--route', 'http', '--simulate', 'count=64']);
    assert.deepEqual(Object.keys(both), ['series', 'labels', 'dead_letter', 'routes', 'simulation']);
    assert.equal(both.simulation.routes.length, 1);
    const { stdout } = await explain([SERIES, '--simulate', 'nodes=a,b']);
    assert.match(stdout, /^series .*\n\nroute http\n.*\n\nnodes: 3 ▸ 2 \(a, b\)\n/s);
  });

  it('wrong usage is exit code 2', async () => {
    const wrong = async (args: string[], message: RegExp) => {
      const { code, stdout, stderr } = await explain(args);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    };
    await wrong([], /nothing to explain; expected SERIES, --labels JSON or --simulate CHANGE/);
    await wrong([SERIES, '--labels', '{"a":"b"}'], /expected one of them/);
    await wrong(['up{job=~"a"}'], /with = only/);
    await wrong(['--simulate', 'nodes'], /--simulate nodes: expected nodes=5/);
  });
});
