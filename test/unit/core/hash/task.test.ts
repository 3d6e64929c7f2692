import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileTask, TASK_HASHES } from '../../../../src/core/hash/task.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';
import { type Label, type Labels, labelsFrom } from '../../../../src/core/model/labels.ts';
import { labelSet } from './label-sets.ts';

const GROUP = ['service', 'namespace'];
const hash = fc.constantFrom(...TASK_HASHES);
const count = fc.integer({ min: 1, max: 2000 });
const value = fc.constantFrom('', 'a', 'b', 'cart', 'shop', 'é', '\u{1f600}');

/** Labels besides the group labels. */
const others = labelSet.map((labels) => labels.filter((label) => !GROUP.includes(label.name)));

function withGroup(rest: Labels, service: string, namespace: string): Label[] {
  return [{ name: 'service', value: service }, ...rest, { name: 'namespace', value: namespace }];
}

test('spread 1: the task depends on the group labels alone and lies in [0, count)', () => {
  fc.assert(
    fc.property(hash, count, others, others, value, value, (kind, tasks, a, b, service, namespace) => {
      const task = compileTask({ labels: GROUP, count: tasks, spread: 1, hash: kind });
      const first = task(withGroup(a, service, namespace));
      assert.ok(Number.isInteger(first) && first >= 0 && first < tasks);
      assert.equal(task(withGroup(b, service, namespace).toReversed()), first);
    }),
  );
});

test('series after series gives what a function of its own gives', () => {
  const series = fc.record({ rest: others, service: value, namespace: value });
  const list = fc.array(series, { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(
      hash,
      fc.integer({ min: 3, max: 50 }),
      fc.constantFrom(GROUP, []),
      list,
      (kind, tasks, labels, all) => {
        const options = { labels, count: tasks, spread: 2, hash: kind };
        const reused = compileTask(options);
        for (const { rest, service, namespace } of all) {
          const each = withGroup(rest, service, namespace);
          assert.equal(reused(each), compileTask(options)(each));
          assert.deepEqual(reused.explain(each), compileTask(options).explain(each));
        }
      },
    ),
  );
});

test('an absent group label is an empty one', () => {
  fc.assert(
    fc.property(hash, count, value, (kind, tasks, service) => {
      const task = compileTask({ labels: GROUP, count: tasks, spread: 1, hash: kind });
      assert.equal(task(labelsFrom({ service })), task(labelsFrom({ namespace: '', service })));
    }),
  );
});

test('labels with empty values, wherever they stand, leave a series in its task, whatever the spread', () => {
  const empty = fc.array(fc.record({ name: fc.constantFrom('0', 'm', 'pod', '~', 'é'), at: fc.nat(20) }));
  fc.assert(
    fc.property(hash, others, value, empty, (kind, rest, service, added) => {
      const present = withGroup(rest, service, 'n').filter((label) => label.value !== '');
      const task = compileTask({ labels: GROUP, count: 64, spread: 16, hash: kind });
      const labels = [...present];
      for (const { name, at } of added) {
        if (!labels.some((label) => label.name === name)) labels.splice(at, 0, { name, value: '' });
      }
      assert.equal(task(labels), task(present));
      assert.deepEqual(task.explain(labels), task.explain(present));
    }),
  );
});

test('every group label counts', () => {
  for (const kind of TASK_HASHES) {
    const task = compileTask({ labels: GROUP, count: 1024, spread: 1, hash: kind });
    for (const name of GROUP) {
      const seen = new Set(
        Array.from({ length: 200 }, (_, at) =>
          task(labelsFrom({ service: 's', namespace: 'n', [name]: `${at}` })),
        ),
      );
      assert.ok(seen.size > 100, `${kind}: ${name} gave ${seen.size} tasks`);
    }
  }
});

test('spread k: a group has at most k tasks, neighbours of its first', () => {
  const spread = fc.integer({ min: 1, max: 20 });
  fc.assert(
    fc.property(
      hash,
      spread,
      fc.nat(100),
      fc.array(others, { maxLength: 50 }),
      value,
      (kind, k, more, rests, service) => {
        const tasks = k + more;
        const options = { labels: GROUP, count: tasks, hash: kind };
        const task = compileTask({ ...options, spread: k });
        const first = compileTask({ ...options, spread: 1 })(withGroup([], service, 'n'));
        const used = new Set(rests.map((rest) => task(withGroup(rest, service, 'n'))));
        assert.ok(used.size <= k);
        for (const one of used) assert.ok((one - first + tasks) % tasks < k);
      },
    ),
  );
});

test('spread k: a hot group uses all k tasks evenly', () => {
  const task = compileTask({ labels: GROUP, count: 32, spread: 4, hash: 'jump' });
  const load = new Map<number, number>();
  for (let pod = 0; pod < 4000; pod++) {
    const one = task(labelsFrom({ service: 'cart', namespace: 'shop', pod: `cart-${pod}` }));
    load.set(one, (load.get(one) ?? 0) + 1);
  }
  assert.equal(load.size, 4);
  for (const series of load.values())
    assert.ok(series > 850 && series < 1150, `${series} series on one task`);
});

test('label order in the input does not matter, whatever the spread', () => {
  fc.assert(
    fc.property(hash, labelSet, fc.boolean(), (kind, labels, grouped) => {
      const task = compileTask({ labels: grouped ? ['a', 'b'] : [], count: 100, spread: 7, hash: kind });
      assert.equal(task(labels.toReversed()), task(labels));
    }),
  );
});

test('explain tells the same task, and how it came about', () => {
  fc.assert(
    fc.property(hash, labelSet, fc.integer({ min: 1, max: 9 }), (kind, labels, spread) => {
      const options = { labels: ['a', 'b'], count: 100, hash: kind };
      const task = compileTask({ ...options, spread });
      const explained = task.explain(labels);
      assert.equal(explained.task, task(labels));
      assert.ok(explained.spreadIndex >= 0 && explained.spreadIndex < spread);
      assert.equal(
        explained.task,
        (compileTask({ ...options, spread: 1 })(labels) + explained.spreadIndex) % 100,
      );
      if (kind === 'mod' || kind === 'stream-metrics-route') {
        const first = Number(BigInt(explained.hash) % 100n);
        assert.equal(explained.task, (first + explained.spreadIndex) % 100);
      }
    }),
  );
  const labels = labelsFrom({ __name__: 'm', service: 'c"t' });
  const own = compileTask({ labels: GROUP, count: 4, spread: 1, hash: 'jump' });
  assert.equal(own.explain(labels).groupKey, '{namespace="",service="c\\"t"}');
  const all = compileTask({ labels: [], count: 4, spread: 1, hash: 'stream-metrics-route' });
  assert.equal(all.explain(labels).groupKey, '{__name__="m",service="c\\"t"}');
});

test('numbers that are kept in topics do not change', () => {
  const labels = labelsFrom({
    __name__: 'http_requests_total',
    service: 'cart',
    namespace: 'shop',
    pod: 'cart-1',
  });
  const task = compileTask({ labels: GROUP, count: 32, spread: 1, hash: 'jump' });
  assert.deepEqual(task.explain(labels), {
    groupKey: '{namespace="shop",service="cart"}',
    hash: '8460869349580129797',
    task: 20,
    spreadIndex: 0,
  });
});

test('options out of range are refused by name', () => {
  const options = { labels: GROUP, count: 4, spread: 1, hash: 'jump' } as const;
  const refused = (change: object, message: RegExp) =>
    assert.throws(
      () => compileTask({ ...options, ...change }),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 31]) refused({ count: wrong }, /^task count is /);
  for (const wrong of [0, 5, 1.5]) refused({ spread: wrong }, /^task spread is .* to the task count, 4$/);
  refused({ hash: 'md5' }, /^task hash is "md5": give one of jump, mod, /);
});
