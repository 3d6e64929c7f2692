import { type Labels, labelValue } from '../../model/labels.ts';
import { type Filter, parseSelector } from './parse.ts';
import { compileSelector } from './selector.ts';

/**
 * Explains why a selector does not match: the filters that do not hold, each with the series' actual value, such as
 * `service="cart" does not hold: service is "checkout"`. One line for each group of an `or`.
 */
export function explainMismatch(selector: string, labels: Labels): string[] {
  const groups = parseSelector(selector);
  if (groups.length === 0) return ['{} matches nothing'];
  return groups.map((filters) => {
    const failing = filters.filter((filter) => !compileSelector(`{${filterText(filter)}}`).matches(labels));
    return failing
      .map((filter) => `${shown(filter)} does not hold: ${actual(filter.label, labels)}`)
      .join('; ');
  });
}

/** The filter as selector text: JSON's escapes are valid in a selector's string too. */
function filterText({ label, operator, value }: Filter): string {
  return `${labelText(label)}${operator}${JSON.stringify(value)}`;
}

function shown({ label, operator, value }: Filter): string {
  return `${label}${operator}${JSON.stringify(value)}`;
}

function actual(name: string, labels: Labels): string {
  const value = labelValue(labels, name);
  return value === '' ? `the series has no ${name}` : `${name} is ${JSON.stringify(value)}`;
}

/** Quotes a name that is no identifier. */
function labelText(label: string): string {
  return /^[a-zA-Z_:][a-zA-Z0-9_:.]*$/.test(label) ? label : JSON.stringify(label);
}
