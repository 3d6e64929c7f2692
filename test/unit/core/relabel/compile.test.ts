import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Label, labelsFrom } from '../../../../src/core/model/labels.ts';
import { compileRelabel, type Dialect, RuleError } from '../../../../src/core/relabel/compile.ts';
import { parseRules } from '../../../../src/core/relabel/parse.ts';

function compile(yaml: string, dialect: Dialect = 'victoriametrics') {
  return compileRelabel(parseRules(yaml).rules, dialect);
}

function apply(yaml: string, labels: Record<string, string>, dialect: Dialect = 'victoriametrics') {
  const result = compile(yaml, dialect).apply(labelsFrom(labels));
  return result && Object.fromEntries(result.map(({ name, value }) => [name, value]));
}

test('the input is not changed, and an empty list of rules changes nothing', () => {
  const input: Label[] = [
    { name: 'b', value: '1' },
    { name: 'a', value: '' },
    { name: '__tmp', value: '2' },
  ];
  const copy = structuredClone(input);
  assert.deepEqual(compileRelabel([], 'victoriametrics').apply(input), copy);
  const yaml =
    '- {target_label: b, replacement: x}\n- {action: labeldrop, regex: a}\n- {action: labelmap, regex: b}';
  for (const dialect of ['victoriametrics', 'prometheus'] as const) compile(yaml, dialect).apply(input);
  assert.deepEqual(input, copy);
});

test('rules may come from any YAML reader', () => {
  const rules = [{ source_labels: ['v'], regex: ['a', 1.5, true], target_label: 'hit', replacement: 'y' }];
  const relabeler = compileRelabel(rules, 'victoriametrics');
  for (const value of ['a', '1.5', 'true']) {
    assert.deepEqual(relabeler.apply([{ name: 'v', value }])?.at(-1), { name: 'hit', value: 'y' });
  }
});

test('hashmod: MD5 in Prometheus, xxHash64 in VictoriaMetrics', () => {
  const yaml = '- {action: hashmod, source_labels: [missing], modulus: 1000, target_label: shard}';
  assert.equal(apply(yaml, { a: '1' }, 'prometheus')?.['shard'], '958');
  assert.equal(apply(yaml, { a: '1' }, 'victoriametrics')?.['shard'], '921');
});

test('VictoriaMetrics copies a source whose newline its captures do not take', () => {
  const yaml = '- {source_labels: [v], regex: "a(.*)", target_label: x, replacement: "<$1>"}';
  assert.equal(apply(yaml, { v: 'a\nb' })?.['x'], 'a\nb');
  assert.equal(apply(yaml, { v: 'a\nb' }, 'prometheus')?.['x'], '<\nb>');
});

test("VictoriaMetrics' shortcuts are kept", () => {
  const keeps = (regex: string, value: string, dialect: Dialect = 'victoriametrics') =>
    apply(`- {action: keep, source_labels: [v], regex: '${regex}'}`, { v: value }, dialect) !== undefined;
  assert.equal(keeps('.+foo.+', 'fooxfoox'), false, 'the first foo only');
  assert.equal(keeps('.+foo.+', 'fooxfoox', 'prometheus'), true);
  assert.equal(keeps('a.', 'a\n'), false, 'a lone dot');
  assert.equal(keeps('a.', 'a\n', 'prometheus'), true);
  assert.equal(keeps('a^b', 'ab'), true, 'the prefix is cut off');
  assert.equal(keeps('a^b', 'ab', 'prometheus'), false);
});

test('explain ends where apply does', () => {
  const rule = fc.constantFrom(
    '- {target_label: c, replacement: x}',
    '- {source_labels: [a], target_label: b}',
    '- {source_labels: [a, b], regex: "(.);(.)", target_label: "$1", replacement: "$2"}',
    '- {action: labelmap, regex: "(.)", replacement: "__$1"}',
    '- {action: labeldrop, regex: "a|__b"}',
    '- {action: keep, source_labels: [a], regex: "a|b"}',
    '- {action: drop, source_labels: [c], regex: "x"}',
    '- {action: lowercase, source_labels: [b], target_label: a}',
  );
  const labels = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__b'), fc.constantFrom('', 'a', 'b', 'x'));
  const rules = fc.array(rule, { minLength: 1, maxLength: 5 });
  const dialects = fc.constantFrom<Dialect>('victoriametrics', 'prometheus');
  fc.assert(
    fc.property(rules, labels, dialects, (lines, input, dialect) => {
      const relabeler = compile(lines.join('\n'), dialect);
      const steps = relabeler.explain(labelsFrom(input));
      const byName = (list: readonly Label[] | undefined) =>
        list?.toSorted((x, y) => (x.name < y.name ? -1 : x.name > y.name ? 1 : 0));
      assert.deepEqual(byName(steps.at(-1)?.after), byName(relabeler.apply(labelsFrom(input))));
      for (const [index, step] of steps.entries()) {
        if (index > 0) assert.deepEqual(step.before, steps[index - 1]!.after);
        assert.equal(step.index, index);
      }
    }),
    { numRuns: 1000 },
  );
});

test('explain shows which rule dropped the series', () => {
  const yaml =
    '- {target_label: x, replacement: "1"}\n- {action: drop, source_labels: [x], regex: "1"}\n- {target_label: y}';
  const steps = compile(yaml).explain([{ name: 'a', value: '1' }]);
  assert.deepEqual(
    steps.map(({ rule, changed, after }) => [rule, changed, after?.length]),
    [
      ['replace target_label="x" replacement="1"', true, 2],
      ['drop source_labels=[x] regex="1"', true, undefined],
    ],
  );
});

test('explain shows the final step when it does something', () => {
  const steps = compile('- {action: labeldrop, regex: nothing}').explain(labelsFrom({ a: '1', __tmp: '2' }));
  assert.deepEqual(
    steps.map(({ index, changed, after }) => [index, changed, after?.map(({ name }) => name)]),
    [
      [0, false, ['a', '__tmp']],
      [1, true, ['a']],
    ],
  );
});

test('a rule that cannot be used says which, where, why and what to do', () => {
  const cases: readonly (readonly [yaml: string, key: string | undefined, message: RegExp])[] = [
    ['- {action: keeep, source_labels: [a]}', 'action', /unknown action "keeep"; did you mean "keep"\?/],
    ['- {action: xyzzyxyzzy}', 'action', /unknown action "xyzzyxyzzy"; known are replace, keep/],
    ['- {source_labels: [a]}', 'target_label', /missing "target_label": replace needs/],
    [
      '- {action: keep}',
      'source_labels',
      /missing "source_labels": keep needs at least one label, or an "if"/,
    ],
    ['- {target_label: x, regex: "("}', 'regex', /invalid regex "\(": missing closing \)/],
    ['- {action: hashmod, source_labels: [a], target_label: b, modulus: 0}', 'modulus', /greater than 0/],
    [
      '- {action: hashmod, source_labels: [a], target_label: b, modulus: -1}',
      'modulus',
      /must be a whole number/,
    ],
    ['- {target_lable: x}', 'target_lable', /unknown key "target_lable"; did you mean "target_label"\?/],
    ['- {target_label: [x]}', 'target_label', /"target_label" must be text, not a list/],
    ['- {action: drop, if: "{a="}', 'if', /invalid selector "\{a=" at character 4/],
    [
      '- {action: keepequal, target_label: a, regex: x}',
      'regex',
      /"regex" cannot be used with keepequal: remove it/,
    ],
    ['- foo', undefined, /a rule must be a mapping/],
    ['- ', undefined, /the rule is empty/],
  ];
  for (const [yaml, key, message] of cases) {
    assert.throws(
      () => compile(`- {target_label: fine, replacement: x}\n${yaml}`),
      (error: unknown) => {
        assert.ok(error instanceof RuleError, String(error));
        assert.match(error.message, message);
        assert.deepEqual([error.index, error.key], [1, key], yaml);
        return true;
      },
    );
  }
});

test('Prometheus says what only VictoriaMetrics has', () => {
  assert.throws(
    () => compile('- {action: drop, if: foo}', 'prometheus'),
    /unknown key "if"; it is known in the dialect/,
  );
  assert.throws(
    () => compile('- {action: graphite}', 'prometheus'),
    /unknown action "graphite"; it is known in/,
  );
});
