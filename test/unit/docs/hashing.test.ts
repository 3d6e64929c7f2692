/** docs/concepts/hashing.md: its program computes what Penstock computes, and its worked example is right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assignTopics } from '../../../src/core/hash/ownership.ts';
import { compileTask, type TaskHash } from '../../../src/core/hash/task.ts';
import { HASHING_PAGE as PAGE, hashing as program } from '../../lab/truth/hashing-program.ts';
import { labelSet } from '../core/hash/label-sets.ts';

const nodeNames = fc.uniqueArray(fc.stringMatching(/^[a-z0-9:.-]{1,12}$/), { minLength: 1, maxLength: 8 });

/** From 0 or not, with some missing, and other names among them. */
const numbered = fc
  .tuple(fc.uniqueArray(fc.nat(8), { minLength: 1 }), fc.subarray(['extra', 'vm-01']))
  .map(([numbers, others]) => [...numbers.map((number) => `vm-${number}`), ...others]);

test('the program gives a series the task that Penstock gives it', () => {
  const options = fc.record({
    labels: fc.uniqueArray(fc.constantFrom('a', 'b', 'ab', 'é', '_'), { minLength: 1, maxLength: 3 }),
    count: fc.integer({ min: 1, max: 300 }),
    hash: fc.constantFrom<TaskHash>('jump', 'mod'),
  });
  fc.assert(
    fc.property(labelSet, options, fc.nat(), (labels, { count, ...given }, most) => {
      const spread = 1 + (most % count);
      const plain = Object.assign(
        Object.create(null),
        Object.fromEntries(labels.map(({ name, value }) => [name, value])),
      );
      assert.equal(
        program.taskOf(plain, { ...given, count, spread }),
        compileTask({ ...given, count, spread })(labels),
      );
    }),
    { numRuns: 300 },
  );
});

test('the program gives a task the node that Penstock gives it', () => {
  const counts = fc.array(fc.integer({ min: 1, max: 24 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(counts, fc.oneof(nodeNames, numbered), (list, nodes) => {
      const topics = list.map((count, at) => ({ topic: `metrics.tasks.${at}`, count }));
      const expected = [...assignTopics(topics, nodes, 'balanced')].flatMap(([topic, owners]) =>
        Array.from(owners, (node, task) => [`${topic}/${task}`, nodes[node]!] as const),
      );
      const found = program.balancedOwners(topics, nodes);
      assert.deepEqual(
        expected.map(([task]) => [task, found.get(task)]),
        expected,
      );
      const [first] = topics;
      const [own] = [...assignTopics([first!], nodes, 'per_route').values()];
      assert.deepEqual(
        program.perRouteOwners(first!.count, nodes),
        Array.from(own!, (node) => nodes[node]!),
      );
    }),
    { numRuns: 60 },
  );
});

test('the worked example is right', () => {
  const value = (step: string) => {
    const row = PAGE.split('\n').find((line) => line.startsWith(`| ${step} |`));
    return /`(.*)`/.exec(row ?? '')?.[1];
  };
  const labels = { __name__: 'http_requests_total', namespace: 'shop', pod: 'cart-7', service: 'cart' };
  const series = Object.entries(labels).map(([name, text]) => ({ name, value: text }));
  const task = { labels: ['service', 'namespace'], count: 32, spread: 1, hash: 'jump' } as const;
  const bytes = Buffer.from(value('bytes of the group')!.replaceAll(' ', ''), 'hex');
  assert.deepEqual(bytes, program.bytesOf(['namespace', 'shop', 'service', 'cart']));
  const { hash, task: id } = compileTask(task).explain(series);
  assert.equal(value('g'), hash);
  assert.equal(value('g'), String(program.xxh64(bytes)));
  assert.equal(value('jump\\(g, 32\\)'.replaceAll('\\', '')), String(id));
  assert.equal(value('label'), `stream_task_id="${id}"`);

  const nodes = ['vmagent-0', 'vmagent-1', 'vmagent-2'];
  const topic = 'metrics.tasks.http';
  const owners = assignTopics([{ topic, count: 32 }], nodes, 'balanced').get(topic)!;
  assert.equal(value('node (slot 0)'), nodes[owners[id]!]);

  const { spreadIndex, task: spreadTask } = compileTask({ ...task, spread: 4 }).explain(series);
  assert.equal(
    value('xxh64 of the whole series'),
    String(program.xxh64(program.bytesOf(Object.entries(labels).flat()))),
  );
  assert.equal(value('mod 4'), String(spreadIndex));
  assert.equal(value('task'), String(spreadTask));
});
