import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelsFrom } from '../../../../../src/core/model/labels.ts';
import { compileSelector, SelectorError } from '../../../../../src/core/relabel/selector/selector.ts';

const cart = labelsFrom({
  __name__: 'http_requests_total',
  service: 'cart',
  code: '500',
  'my.label': 'x\ny',
});

test('matches', () => {
  for (const text of [
    'http_requests_total',
    'http_requests_total{}',
    '(+(http_requests_total))',
    '{__name__="http_requests_total"}',
    '{"http_requests_total"}',
    '{"http_requests_total", code="500",}',
    'http_requests_total{service="cart"}',
    'http_requests_total{service=~"c.*|shop", code!~"4.."}',
    '{my.label=~"x.y"}',
    '{"my.label"!=""}',
    "{service='cart'}",
    '{service=`cart`}',
    '{service="\\x63\\u0061r" + "t"}',
    '{missing=""}',
    '{missing!~".+"}',
    '{missing=~"|x"}',
    '{service="shop" or code="500"}',
    '{service="shop", code="500" OR service="cart", code="500"}',
    'http_requests_total{service="shop" or code="500"}',
    '{code="500"} # comment',
    'http\\x5frequests_total',
  ]) {
    assert.equal(compileSelector(text).matches(cart), true, text);
  }
});

test('does not match', () => {
  for (const text of [
    '{}',
    'http_requests',
    'up{service="shop" or code="500"}',
    '{__name__="up", code="500" or service="cart"}',
    '{service="car"}',
    '{service=~"car"}',
    '{service!="cart"}',
    '{missing!=""}',
    '{service="cart", code="200"}',
  ]) {
    assert.equal(compileSelector(text).matches(cart), false, text);
  }
});

test('a series without a name does not have the empty name', () => {
  const nameless = labelsFrom({ job: 'api' });
  assert.equal(compileSelector('{__name__!=""}').matches(nameless), true);
  assert.equal(compileSelector('{__name__=""}').matches(nameless), false);
  assert.equal(compileSelector('{__name__=~""}').matches(nameless), true);
});

test('a label that is there twice matches with either value', () => {
  const twice = [
    { name: 'a', value: '1' },
    { name: 'a', value: '2' },
  ];
  assert.equal(compileSelector('{a="2"}').matches(twice), true);
  assert.equal(compileSelector('{a!="2"}').matches(twice), false);
});

test('says where a selector is wrong', () => {
  const cases: readonly (readonly [text: string, position: number, problem: RegExp])[] = [
    ['', 0, /expected a metric name or "\{"/],
    ['{a="1"', 6, /expected ",", "or" or "\}", found the end/],
    ['foo offset 5m', 4, /expected the end of the selector, found "offset"/],
    ['NaN', 0, /NaN is a number/],
    ['{a}', 2, /expected "=", "!=", "=~" or "!~"/],
    ['{a=1}', 3, /unexpected "1\}"/],
    ['{a="1}', 3, /no closing quote/],
    ['{a="\\y"}', 3, /invalid string/],
    ['{a=~"("}', 5, /invalid regex "\(": missing closing \)/],
    ['foo{__name__="bar"}', 4, /two metric names, "foo" and "bar"/],
    ['{or a="1"}', 4, /expected "="/],
  ];
  for (const [text, position, problem] of cases) {
    assert.throws(
      () => compileSelector(text),
      (error: unknown) => {
        assert.ok(error instanceof SelectorError, String(error));
        assert.match(error.message, problem);
        assert.equal(error.position, position, text);
        return true;
      },
    );
  }
});
