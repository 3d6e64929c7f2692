import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Labels, labelsFrom } from '../../../../src/core/model/labels.ts';
import { explainRoute } from '../../../../src/core/route/explanation.ts';
import { routeOptions } from '../../../../src/core/route/options.ts';
import { compileRoute } from '../../../../src/core/route/route.ts';

function explain(options: object, labels: Labels) {
  const route = routeOptions.parse({ name: 'r', task: { labels: ['service'], count: 16 }, ...options });
  return explainRoute(compileRoute(route, 0).route!, labels);
}

const CART = labelsFrom({ __name__: 'up', pod: 'p-1', service: 'cart' });

describe('a series through a route', () => {
  it('is relabeled, placed and written with its task label, sorted', () => {
    const { matched, steps, placement } = explain({ relabel: [{ action: 'labeldrop', regex: 'pod' }] }, CART);
    assert.equal(matched, true);
    assert.equal(steps.length, 1);
    assert.equal(placement!.groupKey, '{service="cart"}');
    assert.equal(placement!.partition, placement!.task);
    assert.deepEqual(
      placement!.output.map(({ name, value }) => `${name}=${value}`),
      ['__name__=up', 'service=cart', `stream_task_id=${placement!.task}`],
    );
  });

  it('replaces a task label that it came with', () => {
    const { placement } = explain({}, labelsFrom({ __name__: 'up', stream_task_id: 'x' }));
    assert.deepEqual(
      placement!.output.map(({ name, value }) => `${name}=${value}`),
      ['__name__=up', `stream_task_id=${placement!.task}`],
    );
    assert.deepEqual(placement!.group, [{ name: 'service', value: '' }]);
  });

  it('with spread is on one of the tasks behind the first, around the end', () => {
    const task = { labels: ['service'], count: 4, spread: 4 };
    const found = Array.from(
      { length: 40 },
      (_, at) =>
        explain({ task }, labelsFrom({ __name__: 'up', pod: `p-${at}`, service: 'cart' })).placement!,
    );
    const [first] = new Set(found.map(({ firstTask }) => firstTask));
    assert.ok(found.every((each) => each.firstTask === first));
    assert.ok(found.every((each) => each.task === (first! + each.spreadIndex) % 4));
    assert.equal(new Set(found.map((each) => each.task)).size, 4);
  });

  it('that matches no selector goes no further, and each says why', () => {
    const { matched, selectors, steps, placement } = explain(
      { match: ['down', '{service="shop"}'], relabel: [{ action: 'labeldrop', regex: 'pod' }] },
      CART,
    );
    assert.equal(matched, false);
    assert.deepEqual(
      selectors.map(({ why }) => why),
      [
        ['__name__="down" does not hold: __name__ is "up"'],
        ['service="shop" does not hold: service is "cart"'],
      ],
    );
    assert.deepEqual(steps, []);
    assert.equal(placement, undefined);
  });

  it('that a rule drops has no place', () => {
    const relabel = [
      { action: 'drop', source_labels: ['service'], regex: 'cart' },
      { action: 'labeldrop', regex: 'pod' },
    ];
    const { matched, steps, placement } = explain({ relabel }, CART);
    assert.equal(matched, true);
    assert.equal(steps.length, 1);
    assert.equal(steps[0]!.after, undefined);
    assert.equal(placement, undefined);
  });
});
