import { compareByBytes } from '../../core/hash/byte-order.ts';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import { type Label, type Labels, labelsFrom } from '../../core/model/labels.ts';
import { parseSelector } from '../../core/relabel/selector/parse.ts';

const EXPECTED = 'expected a series such as http_requests_total{service="cart"}';

/**
 * The labels of a series as people write it: `http_requests_total{service="cart"}` or
 * `{__name__="http_requests_total",service="cart"}`. In the order of remote write: sorted by name.
 *
 * @throws ConfigError if it is not a series: broken syntax, an operator other than =, a repeated label, no label
 */
export function parseSeries(text: string): Labels {
  const groups = parse(text);
  if (groups.length > 1) throw new ConfigError(`${text}: "or" names more than one series; ${EXPECTED}`);
  const filters = groups[0] ?? [];
  const other = filters.find(({ operator }) => operator !== '=');
  if (other !== undefined) {
    const { label, operator, value } = other;
    throw new ConfigError(
      `${text}: ${label}${operator}${JSON.stringify(value)} selects series and names none; ${EXPECTED}, with = only`,
    );
  }
  return checked(
    filters.map(({ label, value }) => ({ name: label, value })),
    text,
  );
}

/**
 * The labels of a series as a JSON object: `{"__name__":"up","job":"node"}`.
 *
 * @throws ConfigError if it is not an object of strings, or has no label
 */
export function parseLabelsJson(text: string): Labels {
  const expected = 'expected a JSON object of strings, such as {"__name__":"up","job":"node"}';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`--labels ${text}: ${errorMessage(error)}; ${expected}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`--labels ${text}: ${expected}`);
  }
  const wrong = Object.entries(value).find(([, each]) => typeof each !== 'string');
  if (wrong !== undefined) {
    throw new ConfigError(`--labels: ${wrong[0]} is ${JSON.stringify(wrong[1])}; ${expected}`);
  }
  return checked(labelsFrom(value as Record<string, string>), `--labels ${text}`);
}

function parse(text: string) {
  try {
    return parseSelector(text);
  } catch (error) {
    throw new ConfigError(`${errorMessage(error)}; ${EXPECTED}`, { cause: error });
  }
}

function checked(labels: Label[], text: string): Labels {
  if (labels.length === 0) throw new ConfigError(`${text}: the series has no labels; ${EXPECTED}`);
  const twice = labels.find(({ name }, at) => labels.findIndex((label) => label.name === name) < at);
  if (twice !== undefined) {
    throw new ConfigError(`${text}: the label ${twice.name} is given twice; expected each label once`);
  }
  return labels.sort((a, b) => compareByBytes(a.name, b.name));
}
