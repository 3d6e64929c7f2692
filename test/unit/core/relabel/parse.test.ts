import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRules, RuleSyntaxError } from '../../../../src/core/relabel/parse.ts';
import { formatFixed, resolvePlain, YamlScalar } from '../../../../src/core/relabel/scalar.ts';

test('lines of rules and of their keys', () => {
  const parsed = parseRules('# rules\n- action: keep\n  regex: a\n\n- target_label: x\n  replacement: y\n');
  assert.equal(parsed.rules.length, 2);
  assert.equal(parsed.lineOf(0), 2);
  assert.equal(parsed.lineOf(0, 'regex'), 3);
  assert.equal(parsed.lineOf(1), 5);
  assert.equal(parsed.lineOf(1, 'replacement'), 6);
  assert.equal(parsed.lineOf(1, 'modulus'), 5, 'a key that is not there: the rule');
});

test('a text without rules', () => {
  for (const text of ['', '# nothing\n', 'null', '~', '[]'])
    assert.deepEqual(parseRules(text).rules, [], text);
});

test('anchors, aliases and merge keys', () => {
  const parsed = parseRules(
    '- &a {action: keep, regex: x}\n- *a\n- {<<: *a, regex: w}\n- {<<: [*a, {regex: z}]}\n',
  );
  assert.deepEqual(parsed.rules, [
    { action: 'keep', regex: 'x' },
    { action: 'keep', regex: 'x' },
    { action: 'keep', regex: 'w' },
    { action: 'keep', regex: 'x' },
  ]);
  assert.equal(parsed.lineOf(1, 'regex'), 1, 'where the alias points');
});

test('only the first document counts', () => {
  assert.deepEqual(parseRules('- action: keep\n---\n- action: drop\n').rules, [{ action: 'keep' }]);
});

test('says in which line the text is wrong', () => {
  const cases: readonly (readonly [text: string, line: number])[] = [
    ['- action: keep\n- "a', 2],
    ['- action: keep\n  action: drop\n', 2],
    ['action: keep', 1],
    ['- a: 1\n- [b]: 1\n', 2],
    ['- a: 1\n- {<<: 5}\n', 2],
    ['- a: 1\n- *nobody\n', 2],
    ['- a: 1\n- &self [*self]\n', 2],
  ];
  for (const [text, line] of cases) {
    assert.throws(
      () => parseRules(text),
      (error: unknown) => error instanceof RuleSyntaxError && error.line === line,
      text,
    );
  }
});

test('plain scalars mean what they mean to Go', () => {
  const cases: readonly (readonly [text: string, value: null | boolean | number | bigint | string])[] = [
    ['', null],
    ['~', null],
    ['yes', true],
    ['Off', false],
    ['n', false],
    ['12', 12n],
    ['1_000', 1000n],
    ['010', 8n],
    ['08', 8],
    ['0x1F', 31n],
    ['0b101', 5n],
    ['-7', -7n],
    ['18446744073709551615', 18446744073709551615n],
    ['18446744073709551616', 2 ** 64],
    ['1.50', 1.5],
    ['.5', 0.5],
    ['1e3', 1000],
    ['-.inf', Number.NEGATIVE_INFINITY],
    ['1:30', '1:30'],
    ['2001-01-01', '2001-01-01'],
    ['yess', 'yess'],
    ['1a', '1a'],
    ['1e400', '1e400'],
    ['-', '-'],
  ];
  for (const [text, value] of cases) {
    const resolved = resolvePlain(text);
    assert.equal(resolved instanceof YamlScalar ? resolved.value : resolved, value, JSON.stringify(text));
    if (resolved instanceof YamlScalar) assert.equal(resolved.text, text);
  }
});

test('a block at the end of the text gets no line end of its own', () => {
  assert.deepEqual(parseRules('- a: |\n    x').rules, [{ a: 'x' }]);
  assert.deepEqual(parseRules('- a: |\n    x\n').rules, [{ a: 'x\n' }]);
});

test('quoted scalars are text', () => {
  assert.deepEqual(parseRules(`- {a: "1", b: '', c: !!str 5}`).rules, [{ a: '1', b: '', c: '5' }]);
});

test('floats in full', () => {
  const cases: readonly (readonly [value: number, text: string])[] = [
    [1.5, '1.5'],
    [1e21, `1${'0'.repeat(21)}`],
    [1.25e-7, '0.000000125'],
    [-1.5e22, `-15${'0'.repeat(21)}`],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '+Inf'],
  ];
  for (const [value, text] of cases) assert.equal(formatFixed(value), text);
});
