import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from '../../../../src/app/commands/simulate.ts';
import type { TaskNode } from '../../../../src/core/hash/ownership.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

const setup = {
  routes: [
    { name: 'http', topic: 'tasks.http', count: 32, spread: 1, hash: 'jump' },
    { name: 'queue', topic: 'tasks.queue', count: 8, spread: 4, hash: 'mod' },
  ],
  nodes: ['vmagent-0', 'vmagent-1', 'vmagent-2'],
  ownership: 'balanced',
} as const;

function after(spec: string, nodes: readonly TaskNode[] = setup.nodes): unknown {
  return (simulate({ ...setup, nodes }, spec).json as { after: unknown }).after;
}

test('nodes=N cuts the configured nodes or continues their names', () => {
  assert.deepEqual(after('nodes=2'), ['vmagent-0', 'vmagent-1']);
  assert.deepEqual(after('nodes=5'), [...setup.nodes, 'vmagent-3', 'vmagent-4']);
  assert.deepEqual(after('nodes=4', ['vm1', 'vm3', 'vm2']), ['vm1', 'vm3', 'vm2', 'vm4']);
  assert.deepEqual(after('nodes=3', ['left', 'right']), ['left', 'right', 'node-3']);
  assert.deepEqual(after('nodes=x, y'), ['x', 'y']);
});

test('a new node gets the next number where nodes have numbers', () => {
  const nodes = ['eu', 'us'].map((name, number) => ({ name, number }));
  const moved = (spec: string) => (simulate({ ...setup, nodes }, spec).json as { all: object }).all;
  const byName = simulate({ ...setup, nodes: ['vm-0', 'vm-1'] }, 'nodes=vm-0,vm-1,vm-2').json;
  const { moved: expected } = (byName as { all: { moved: number } }).all;
  for (const spec of ['nodes=3', 'nodes=us,asia,eu'])
    assert.equal((moved(spec) as { moved: number }).moved, expected, spec);
});

test('every route is told, as text and for programs', () => {
  const { text, json } = simulate(setup, 'nodes=4');
  const { routes } = json as { routes: { route: string; moved: number; total: number; loads: unknown[] }[] };
  assert.deepEqual(
    routes.map((route) => [route.route, route.total, route.loads.length]),
    [
      ['http', 32, 4],
      ['queue', 8, 4],
    ],
  );
  for (const { route, moved, total } of routes) {
    assert.match(
      text,
      new RegExp(`^route ${route}: ${moved} of ${total} tasks move, .* \\(ideal: 25\\.0 %\\)$`, 'm'),
    );
  }
  assert.match(text, /^ {2}vmagent-3 +- +\d+$/m);
  assert.match(text, /^all routes: \d+ of 40 tasks move/m);
});

test('one route alone is told as it is among all', () => {
  const all = simulate(setup, 'nodes=4').json as { routes: { route: string }[] };
  const one = simulate({ ...setup, only: 'queue' }, 'nodes=4');
  assert.deepEqual(
    (one.json as { routes: object[] }).routes,
    all.routes.filter(({ route }) => route === 'queue'),
  );
  assert.doesNotMatch(one.text, /http|all routes/);
});

test('count=N: groups that change their task, and a spread that no longer fits', () => {
  const { text, json } = simulate(setup, 'count=2');
  const { routes } = json as { routes: { route: string; before: number; idealShare: number }[] };
  assert.deepEqual(
    routes.map((route) => [route.route, route.before, route.idealShare]),
    [
      ['http', 32, 30 / 32],
      ['queue', 8, 6 / 8],
    ],
  );
  assert.match(text, /^route http: count 32 ▸ 2, hash jump, tried on 10000 made-up groups$/m);
  assert.match(text, /^ {2}spread 4 is more than 2 tasks: lower it first$/m);
  assert.match(simulate({ ...setup, nodes: [] }, 'count=64').text, /groups change their task/);
});

test('what it does not understand is refused with what it expects', () => {
  const specs = [
    '',
    'nodes',
    'nodes=',
    'nodes=0',
    'nodes=a,,b',
    'nodes=a,a',
    'count=',
    'count=x',
    'count=0',
    'task=3',
  ];
  for (const spec of specs) assert.throws(() => simulate(setup, spec), ConfigError, spec);
  assert.throws(
    () => simulate(setup, 'task=3'),
    /^ConfigError: --simulate task=3: expected nodes=5, nodes=a,b,c or count=64$/,
  );
});
