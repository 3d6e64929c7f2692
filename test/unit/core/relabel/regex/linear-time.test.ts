import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Re2 } from '../../../../../src/core/relabel/regex/re2.ts';
import {
  prometheusPattern,
  victoriaMetricsPattern,
  type WholePattern,
} from '../../../../../src/core/relabel/regex/regex.ts';

import { compileTemplate } from '../../../../../src/core/relabel/regex/template.ts';

/** Expressions on which a backtracking engine takes quadratic to exponential time. */
const EXPLOSIVE: readonly (readonly [expression: string, character: string])[] = [
  ['(a+)+', 'a'],
  ['(a|aa)+', 'a'],
  ['(\\w+\\s?)*', 'a'],
  ['(.*)*x', 'x'],
  ['(.+);(.+);(.+)x', ';'],
  ['.*\\d+x', '1'],
  ['([^:]+):\\d+', 'a'],
  ['(.*):(\\d+)', ':'],
];

/** Sizes on one engine each: short texts may take JavaScript's, see regex.ts. */
const RANGES: readonly (readonly [small: number, large: number])[] = [
  [2_000, 16_000],
  [25_000, 100_000],
];

/** How much more than the text the work may grow. Quadratic work grows 8 and 4 times more in these ranges. */
const TOLERANCE = 2.5;

/** CPU µs of the cheapest of a few runs: what the work costs when nothing is in its way. */
function cheapest(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3; run++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, user + system);
  }
  return best;
}

/**
 * Growth of the work from the smaller text to the larger, as a multiple of the growth of the text. Noise can
 * only be mistaken for growth, so the least of several tries counts; the constant makes works below the
 * resolution of the clock comparable.
 */
function excessGrowth(pattern: Pattern, character: string, small: number, large: number): number {
  const cost = (size: number) => {
    const text = `${character.repeat(size - 1)}!`;
    const work = () => {
      pattern.test(text);
      pattern.captures(text);
    };
    return cheapest(work) + 200;
  };
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 6 && least > TOLERANCE; attempt++) {
    least = Math.min(least, cost(large) / cost(small) / (large / small));
  }
  return least;
}

type Pattern = Pick<WholePattern, 'test' | 'captures'>;

for (const [expression, character] of EXPLOSIVE) {
  test(`${expression} takes linear time on 100 KB`, () => {
    const patterns = {
      prometheus: prometheusPattern(expression),
      victoriametrics: victoriaMetricsPattern(expression, false),
    };
    for (const [dialect, pattern] of Object.entries(patterns)) {
      for (const [small, large] of RANGES) {
        const excess = excessGrowth(pattern, character, small, large);
        assert.ok(
          excess <= TOLERANCE,
          `${dialect}: from ${small} to ${large} the work grew ${excess} times more`,
        );
      }
    }
  });
}

test('replacing every match takes linear time on 100 KB', () => {
  for (const expression of ['(a|b)x?', 'x*', 'a.*?b']) {
    const re = new Re2(expression);
    const template = compileTemplate('<$0>', re.groupNames);
    const replaceAll = (text: string) => re.replaceAll(text, template) !== '';
    const excess = excessGrowth({ test: replaceAll, captures: () => undefined }, 'a', 25_000, 100_000);
    assert.ok(excess <= TOLERANCE, `${expression}: the work grew ${excess} times more than the text`);
  }
});
