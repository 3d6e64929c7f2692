// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Go's templates look like JavaScript's
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTemplate } from '../../../../../src/core/relabel/regex/template.ts';

const names = ['', 'host', '', 'host'];
const captures = ['a:b', undefined, 'b', 'second'];

test('references are read as Go reads them', () => {
  const cases: readonly (readonly [template: string, expanded: string])[] = [
    ['$0', 'a:b'],
    ['<$2>', '<b>'],
    ['${2}x', 'bx'],
    ['$2x', ''],
    ['$1', ''],
    ['$9', ''],
    ['$02', ''],
    ['$$2', '$2'],
    ['$', '$'],
    ['$-2', '$-2'],
    ['a${2', 'a${2'],
    ['${}', '${}'],
    ['$host', 'second'],
    ['${nobody}.', '.'],
    ['$é', ''],
    ['', ''],
  ];
  for (const [template, expanded] of cases) {
    assert.equal(compileTemplate(template, names).expand(captures), expanded, template);
  }
});

test('without a match every reference is empty', () => {
  assert.equal(compileTemplate('a$0-$host-b', names).expand(undefined), 'a--b');
});

test('a template that no group can change is known to be constant', () => {
  assert.equal(compileTemplate('plain $$ text', names).constant, 'plain $ text');
  assert.equal(compileTemplate('$9$nobody', names).constant, '');
  assert.equal(compileTemplate('$1', names).constant, undefined);
});
