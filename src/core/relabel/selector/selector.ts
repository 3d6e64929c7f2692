import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { invalidRegexMessage, victoriaMetricsTest } from '../regex/regex.ts';
import type { Test } from '../regex/shape.ts';
import { type Filter, parseSelector, SelectorError } from './parse.ts';

export { SelectorError };

/** A series selector, compiled: `http_requests_total{code=~"5.."}`, `{a="1" or b="2"}`. */
export interface Selector {
  readonly text: string;
  matches(labels: Labels): boolean;
}

/**
 * Compiles a PromQL series selector, with VictoriaMetrics' `or` between groups of filters. Regular
 * expressions are RE2, anchored, dot-all.
 *
 * An absent label counts as an empty one, except that `{__name__=""}` does not match a series without a
 * name and `{__name__!=""}` does, as in VictoriaMetrics. `{}` matches nothing.
 *
 * @throws SelectorError with the position of what is wrong.
 */
export function compileSelector(text: string): Selector {
  const groups = parseSelector(text).map((filters) => filters.map((filter) => compileFilter(text, filter)));
  return { text, matches: (labels) => groups.some((tests) => tests.every((test) => test(labels))) };
}

type FilterTest = (labels: Labels) => boolean;

function compileFilter(text: string, filter: Filter): FilterTest {
  const { label, operator, value } = filter;
  const wanted = operator === '=' || operator === '=~';
  if (operator === '=' || operator === '!=') {
    const test: FilterTest =
      label === METRIC_NAME ? (labels) => hasName(labels, value) : (labels) => hasValue(labels, label, value);
    return (labels) => test(labels) === wanted;
  }
  const test = compileTest(text, filter);
  return (labels) => matchesValue(labels, label, test) === wanted;
}

function compileTest(text: string, { value }: Filter): Test {
  try {
    return victoriaMetricsTest(value);
  } catch (error) {
    const position = Math.max(0, text.indexOf(value));
    throw new SelectorError(text, position, invalidRegexMessage(value, error), { cause: error });
  }
}

function hasName(labels: Labels, value: string): boolean {
  for (const label of labels) if (label.name === METRIC_NAME) return label.value === value;
  return false;
}

function hasValue(labels: Labels, name: string, value: string): boolean {
  return matchesValue(labels, name, (actual) => actual === value);
}

/** A label name that occurs more than once matches with any of its values. */
function matchesValue(labels: Labels, name: string, test: Test): boolean {
  let found = false;
  for (const label of labels) {
    if (label.name !== name) continue;
    if (test(label.value)) return true;
    found = true;
  }
  return !found && test('');
}
