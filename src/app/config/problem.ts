import type * as z from 'zod';
import { ConfigError } from '../../core/model/errors.ts';
import { keysAt, schemaAt, shownFor, unknownKey } from './leaves.ts';

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** The file; or, with line 0, the environment variable at fault. */
  readonly file: string;
  readonly line: number;
  /** `routes[0].task.count`; empty for the file as a whole. */
  readonly path: string;
  /** What was wrong; what was expected. */
  readonly message: string;
}

/** A refused configuration. The message has every problem, one a line. */
export class InvalidConfig extends ConfigError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const sorted = [...problems].sort((a, b) => compare(a.file, b.file) || a.line - b.line);
    super(sorted.map(formatProblem).join('\n'));
    this.problems = sorted;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `FILE:LINE: PATH: what was wrong`. */
export function formatProblem({ file, line, path, message }: Problem): string {
  return [line > 0 ? `${file}:${line}` : file, path, message].filter((part) => part !== '').join(': ');
}

/** `['routes', 0, 'task']` as `routes[0].task`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    text += typeof step === 'number' ? `[${step}]` : text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}

/** The value at `path`, undefined if there is none. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[step];
  }
  return found;
}

/** One validation issue of `input` in words: path and message of each problem in it. Secrets are not shown. */
export function explainIssue(
  issue: z.core.$ZodIssue,
  input: unknown,
  schema: z.ZodType,
): { path: PropertyKey[]; message: string }[] {
  const { path } = issue;
  const value = valueAt(input, path);
  const given = shownFor(schemaAt(schema, path), value);
  const one = (message: string) => [{ path, message }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, keysAt(schema, path)));
    case 'invalid_type': {
      const expected = `expected ${typeName(issue.expected)}`;
      return one(
        value === undefined || value === null ? `missing; ${expected}` : `${given} does not fit; ${expected}`,
      );
    }
    case 'invalid_value':
      return one(`${given} is unknown; expected one of ${issue.values.map(String).join(', ')}`);
    case 'too_small':
    case 'too_big': {
      // A text given in the schema stands; zod's own is known by nothing but its beginning.
      if (!issue.message.startsWith('Too ')) return one(issue.message);
      const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
      if (issue.origin === 'string')
        return one(`${given} is empty or too long; expected a text of ${bound} character`);
      return one(`${given} is out of range; expected ${bound}`);
    }
    default:
      return one(issue.message);
  }
}

function typeName(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    array: 'a list',
    object: 'a mapping',
    record: 'a mapping',
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  };
  return names[expected] ?? expected;
}
