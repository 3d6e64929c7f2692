// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Go's templates look like JavaScript's
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Re2 } from '../../../../../src/core/relabel/regex/re2.ts';
import { compileTemplate } from '../../../../../src/core/relabel/regex/template.ts';

function replaceAll(expression: string, text: string, replacement: string): string {
  const re = new Re2(expression);
  return re.replaceAll(text, compileTemplate(replacement, re.groupNames));
}

test('replaces every match as Go does', () => {
  assert.equal(replaceAll('x*', 'axxb', '-'), '-a-b-');
  assert.equal(replaceAll('a', 'banana', '<$0>'), 'b<a>n<a>n<a>');
  assert.equal(replaceAll('', '𝒳é', '.'), '.𝒳.é.');
  assert.equal(replaceAll('(o+)', 'foo', '${1}_'), 'foo_');
});

test('group names: several groups may share one, brackets and escapes are no groups', () => {
  const re = new Re2('(?P<a>x)?(?<a>y)[(?P<no>)]\\(\\Q(\\E(z)');
  assert.deepEqual(re.groupNames, ['', 'a', 'a', '']);
  assert.equal(compileTemplate('$a', re.groupNames).expand(re.captures('y)((z')), 'y');
  assert.deepEqual(new Re2('[]()](a)[^]()][[:alpha:](]').groupNames, ['', '']);
});

test('refuses what RE2 does not have', () => {
  for (const expression of ['(?<=a)b', '(a)\\1', '(?P<é>a)', '(?P<a', 'a++', '(?>a)', '[', '\\Z']) {
    assert.throws(() => new Re2(expression), /error parsing regexp/, expression);
  }
});
