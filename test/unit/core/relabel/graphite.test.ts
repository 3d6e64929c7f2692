// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Go's templates look like JavaScript's
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileGraphiteMatch, compileGraphiteTemplate } from '../../../../src/core/relabel/graphite.ts';

test('a star takes what has no dot, as little as the next part allows', () => {
  const cases: readonly (readonly [template: string, name: string, taken: readonly string[] | undefined])[] =
    [
      ['app.*.count', 'app.cart.count', ['app.cart.count', 'cart']],
      ['app.*.count', 'app.cart.x.count', undefined],
      ['app.*', 'app.', ['app.', '']],
      ['app.*', 'app', undefined],
      ['*.*', 'a.b', ['a.b', 'a', 'b']],
      ['*a*', 'banana', ['banana', 'b', 'nana']],
      ['app', 'app', ['app']],
      ['app', 'apps', undefined],
      ['*a', 'aa', undefined],
    ];
  for (const [template, name, taken] of cases) {
    assert.deepEqual(compileGraphiteMatch(template).match(name), taken, `${template} on ${name}`);
  }
});

test('references to stars', () => {
  const taken = ['a.b', 'a', 'b'];
  const cases: readonly (readonly [template: string, expanded: string])[] = [
    ['$1-${2}', 'a-b'],
    ['$0', 'a.b'],
    ['$3', '$3'],
    ['${x}', '${x}'],
    ['$', '$'],
    ['$$1', '$a'],
    ['x${1 $2', 'x${1 $2'],
  ];
  for (const [template, expanded] of cases)
    assert.equal(compileGraphiteTemplate(template)(taken), expanded, template);
});
