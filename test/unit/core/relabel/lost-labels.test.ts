import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileRelabel, type Dialect } from '../../../../src/core/relabel/compile.ts';
import { settledLabels } from '../../../../src/core/relabel/lost-labels.ts';

const BOTH: readonly Dialect[] = ['victoriametrics', 'prometheus'];

/** Label ▸ value of what is settled, in each of the dialects. */
function settled(rules: object[], dialect: Dialect, labels = ['service', 'pod']): Record<string, string> {
  return Object.fromEntries(settledLabels(labels, rules, dialect).map(({ label, value }) => [label, value]));
}

describe('what is settled in both dialects', () => {
  const cases: Record<string, { rules: object[]; are: Record<string, string> }> = {
    'no rules': { rules: [], are: {} },
    labeldrop: { rules: [{ action: 'labeldrop', regex: 'ser.*' }], are: { service: '' } },
    'labeldrop of another': { rules: [{ action: 'labeldrop', regex: 'instance' }], are: {} },
    'labelkeep without it': { rules: [{ action: 'labelkeep', regex: '__name__|pod' }], are: { service: '' } },
    'labelkeep of nothing that is there': {
      rules: [{ action: 'labelkeep', regex: 'nothing' }],
      are: { service: '', pod: '' },
    },
    'an empty replacement': { rules: [{ target_label: 'service', replacement: '' }], are: { service: '' } },
    'a constant': { rules: [{ target_label: 'service', replacement: 'all' }], are: { service: 'all' } },
    'a constant where the expression may not match': {
      rules: [{ source_labels: ['x'], regex: 'a.+', target_label: 'service', replacement: 'all' }],
      are: {},
    },
    'a copy of another': { rules: [{ source_labels: ['app'], target_label: 'service' }], are: {} },
    'a copy of one that is gone': {
      rules: [
        { action: 'labeldrop', regex: 'app' },
        { source_labels: ['app'], target_label: 'service' },
      ],
      are: { service: '' },
    },
    'dropped, and set again': {
      rules: [
        { action: 'labeldrop', regex: 'service' },
        { source_labels: ['app'], target_label: 'service' },
      ],
      are: {},
    },
    'dropped, and perhaps mapped back': {
      rules: [
        { action: 'labeldrop', regex: 'service' },
        { action: 'labelmap', regex: 'meta_(.+)' },
      ],
      are: {},
    },
    'dropped behind a labelmap': {
      rules: [
        { action: 'labelmap', regex: 'meta_(.+)' },
        { action: 'labeldrop', regex: 'service' },
      ],
      are: { service: '' },
    },
    'a hash': {
      rules: [{ action: 'hashmod', source_labels: ['pod'], modulus: 4, target_label: 'service' }],
      are: {},
    },
    'series that are dropped': {
      rules: [{ action: 'drop', source_labels: ['service'], regex: '.+' }],
      are: {},
    },
  };
  for (const [what, { rules, are }] of Object.entries(cases)) {
    for (const dialect of BOTH)
      it(`${what} (${dialect})`, () => assert.deepEqual(settled(rules, dialect), are));
  }
});

describe('what is settled with VictoriaMetrics alone', () => {
  const vm = (rules: object[], labels?: string[]) => settled(rules, 'victoriametrics', labels);

  it('nothing by a rule with a condition', () => {
    assert.deepEqual(vm([{ action: 'labeldrop', regex: 'service', if: '{job="a"}' }]), {});
    assert.deepEqual(vm([{ target_label: 'service', replacement: 'all', if: '{job="a"}' }]), {});
    assert.deepEqual(
      vm([
        { action: 'labeldrop', regex: 'service' },
        { target_label: 'service', replacement: 'all', if: '{job="a"}' },
      ]),
      {},
    );
  });

  it('what refers to other labels is known only where they are', () => {
    const rule = { target_label: 'service', replacement: '{{app}}-{{zone}}' };
    assert.deepEqual(vm([rule]), {});
    assert.deepEqual(vm([{ target_label: 'app', replacement: 'shop' }, rule]), {});
    const zone = { target_label: 'zone', replacement: 'b' };
    assert.deepEqual(vm([{ target_label: 'app', replacement: 'shop' }, zone, rule]), { service: 'shop-b' });
    const unclosed = { target_label: 'service', replacement: '{{app' };
    assert.deepEqual(vm([unclosed]), { service: '{{app' });
    assert.deepEqual(settled([rule], 'prometheus'), { service: '{{app}}-{{zone}}' });
  });

  it('what graphite sets is not known', () => {
    const graphite = { action: 'graphite', match: '*.*', labels: { service: '$1' } };
    assert.deepEqual(vm([{ action: 'labeldrop', regex: 'service' }, graphite]), {});
  });

  it('labels of its own use are taken off where there is a rule', () => {
    const rules = [{ source_labels: ['app'], target_label: '__group' }];
    assert.deepEqual(vm(rules, ['__group']), { __group: '' });
    assert.deepEqual(vm([], ['__group', '__name__']), {});
    assert.deepEqual(vm(rules, ['__name__']), {});
  });

  it('says which rule it is', () => {
    const rules = [
      { action: 'labeldrop', regex: 'x' },
      { action: 'labeldrop', regex: 'pod' },
    ];
    assert.deepEqual(settledLabels(['pod'], rules, 'victoriametrics'), [
      { label: 'pod', value: '', rule: 1 },
    ]);
  });
});

describe('what is settled is so for every series', () => {
  const rng = randoms(20_261_130);
  const pick = <T>(items: readonly T[]): T => items[rng() % items.length]!;
  const name = () => pick(['service', 'pod', 'app', 'job']);
  const rule = (): object => {
    const target_label = name();
    const source_labels = [name()];
    return pick<object>([
      { action: 'labeldrop', regex: pick([name(), 'ser.+', `${name()}|${name()}`]) },
      { action: 'labelkeep', regex: `${name()}|${name()}` },
      { target_label, replacement: pick(['', 'all', 'x$1', '{{app}}', 'x{{job}}$1']) },
      { source_labels, target_label },
      {
        source_labels,
        target_label,
        regex: pick(['a', '(.*)', 'b(.*)']),
        replacement: pick(['', 'k', '$1']),
      },
      { action: 'labelmap', regex: `${name()}()`, replacement: name() },
      { action: 'lowercase', source_labels, target_label },
      { action: 'hashmod', source_labels, target_label, modulus: 3 },
    ]);
  };
  for (const dialect of BOTH) {
    it(`with any rules (${dialect})`, () => {
      for (let round = 0; round < 250; round += 1) {
        const rules = Array.from({ length: 1 + (rng() % 4) }, rule);
        const known = settledLabels(['service', 'pod'], rules, dialect);
        if (known.length === 0) continue;
        const relabeler = compileRelabel(rules, dialect);
        for (let series = 0; series < 10; series += 1) {
          const labels = ['service', 'pod', 'app', 'job', 'other'].flatMap((each) => {
            const value = pick(['', 'a', 'b', 'bc', 'C']);
            return value === '' ? [] : [{ name: each, value }];
          });
          const after = relabeler.apply(labels);
          if (after === undefined) continue;
          for (const { label, value } of known) {
            const found: string = after.find((each) => each.name === label)?.value ?? '';
            assert.equal(found, value, JSON.stringify({ rules, labels, label }));
          }
        }
      }
    });
  }
});

function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
