import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nativeRegExp } from '../../../../../src/core/relabel/regex/native.ts';
import { Re2 } from '../../../../../src/core/relabel/regex/re2.ts';
import { shapeTest } from '../../../../../src/core/relabel/regex/shape.ts';
import { parseSyntax } from '../../../../../src/core/relabel/regex/syntax.ts';

const ATOMS = [
  'a',
  'b',
  'foo',
  ':',
  '\\.',
  '.',
  '.*',
  '.+',
  '[ab]',
  '[^:]+',
  '[^a]*',
  '\\d+',
  '\\w*',
  'a+',
  '𝒳',
];

/** Expressions of the subset that the fast paths read, with the operators that make them interesting. */
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(...ATOMS),
    fc.tuple(tie('expression'), tie('expression')).map((parts) => parts.join('')),
    fc.tuple(tie('expression'), tie('expression')).map((parts) => `(${parts.join('|')})`),
    fc.tuple(tie('expression'), tie('expression')).map((parts) => parts.join('|')),
    tie('expression').map((inner) => `(${inner})`),
    tie('expression').map((inner) => `(?:${inner})?`),
    tie('expression').map((inner) => `(${inner})?`),
  ),
}));

const text = fc
  .array(fc.constantFrom('a', 'b', 'foo', ':', '.', '1', '\n', '𝒳', 'é', ' '), { maxLength: 7 })
  .map((parts) => parts.join(''));

test('a shape decides as RE2 does', () => {
  let taken = 0;
  fc.assert(
    fc.property(expression, fc.array(text, { minLength: 5, maxLength: 5 }), (pattern, texts) => {
      const syntax = parseSyntax(pattern);
      const shape = syntax && shapeTest(syntax);
      if (!shape) return;
      taken++;
      const plain = new Re2(`^(?s:${pattern})$`);
      for (const one of texts)
        assert.equal(shape(one), plain.test(one), `${pattern} on ${JSON.stringify(one)}`);
    }),
    { numRuns: 3000 },
  );
  assert.ok(taken > 500, `only ${taken} expressions had a shape`);
});

test("JavaScript's engine captures as RE2 does where it is used", () => {
  let taken = 0;
  fc.assert(
    fc.property(expression, fc.array(text, { minLength: 5, maxLength: 5 }), (pattern, texts) => {
      const syntax = parseSyntax(pattern);
      const native = syntax && nativeRegExp(syntax);
      if (!native) return;
      taken++;
      const plain = new Re2(`^(?s:${pattern})$`);
      for (const one of texts) {
        const found: RegExpExecArray | null = native.exec(one);
        const captures: (string | undefined)[] | undefined = found === null ? undefined : [...found];
        assert.deepEqual(captures, plain.captures(one), `${pattern} on ${JSON.stringify(one)}`);
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(taken > 500, `only ${taken} expressions were taken`);
});

test('the shapes that rules are made of are recognised', () => {
  for (const pattern of [
    'api',
    'a\\.b',
    '^api$',
    'foo|bar',
    '(foo|bar)_total',
    'http_.*',
    'http_(.+)',
    '.*_total',
    '.*err.*',
    '.+err.+',
    '.*',
    '(.+)',
    'go_.*|process_.*|up',
    '',
  ]) {
    const syntax = parseSyntax(pattern);
    assert.ok(syntax && shapeTest(syntax), pattern);
  }
});

test('the captures that rules are made of run on the fast engine', () => {
  for (const pattern of [
    '([^:]+):\\d+',
    '(.*):(\\d+)',
    '(.*);(.*)',
    'http_(.*)_total',
    '([^;]*);([^;]*);([^;]*)',
    '(?P<app>[a-z]+)-[0-9]+',
    '(foo|bar)_(.*)',
  ]) {
    const syntax = parseSyntax(pattern);
    assert.ok(syntax && nativeRegExp(syntax), pattern);
  }
});

test('what could backtrack is left to RE2', () => {
  for (const pattern of [
    '(a+)+',
    '(.+)-(.+)-(.+)x',
    '.*\\d+x',
    '.*a+b',
    '(a|aa)+',
    'a*a*a*b',
    `${'(a|aa)?'.repeat(20)}b`,
  ]) {
    const syntax = parseSyntax(pattern);
    assert.equal(syntax && nativeRegExp(syntax), undefined, pattern);
  }
});
