import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLabelsJson, parseSeries } from '../../../../src/app/commands/series-argument.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';
import type { Labels } from '../../../../src/core/model/labels.ts';

function pairs(labels: Labels): string[][] {
  return labels.map(({ name, value }) => [name, value]);
}

const CART = [
  ['__name__', 'http_requests_total'],
  ['namespace', 'shop'],
  ['service', 'cart'],
];

test('the forms of a series are the same series, sorted by name', () => {
  assert.deepEqual(
    pairs(parseSeries('{service="cart",__name__="http_requests_total",namespace="shop"}')),
    CART,
  );
  assert.deepEqual(pairs(parseSeries('http_requests_total{service="cart", namespace=\'shop\',}')), CART);
  const json = '{"service":"cart","namespace":"shop","__name__":"http_requests_total"}';
  assert.deepEqual(pairs(parseLabelsJson(json)), CART);
  assert.deepEqual(pairs(parseSeries('up')), [['__name__', 'up']]);
});

test('escapes in values', () => {
  assert.deepEqual(pairs(parseSeries(String.raw`up{path="a\"b\\c\n\u00e9"}`)), [
    ['__name__', 'up'],
    ['path', 'a"b\\c\né'],
  ]);
});

test('what names no series is refused in words', () => {
  const refuses = (parse: (text: string) => unknown, text: string, message: RegExp) =>
    assert.throws(
      () => parse(text),
      (error) => error instanceof ConfigError && message.test(error.message),
      text,
    );
  refuses(parseSeries, 'up{job=~"a.*"}', /job=~"a\.\*" selects series.*with = only/);
  refuses(parseSeries, 'up{job!=""}', /job!="" selects series/);
  refuses(parseSeries, '{a="1" or b="2"}', /"or" names more than one series/);
  refuses(parseSeries, '{a="1",a="2"}', /label a is given twice/);
  refuses(parseSeries, '{}', /has no labels/);
  refuses(parseSeries, 'up{job="a"', /at character 11: .*expected a series such as/);
  refuses(parseLabelsJson, '{"a"', /--labels \{"a".*expected a JSON object/);
  refuses(parseLabelsJson, '["a"]', /expected a JSON object/);
  refuses(parseLabelsJson, 'null', /expected a JSON object/);
  refuses(parseLabelsJson, '{"a":1}', /a is 1; expected a JSON object of strings/);
  refuses(parseLabelsJson, '{}', /has no labels/);
});
