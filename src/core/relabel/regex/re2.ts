import { MatcherInput, RE2JS } from 're2js';
import type { Captures, Template } from './template.ts';

/** re2js' code for "the match may begin anywhere". */
const UNANCHORED = 0;

/**
 * A regular expression on RE2 (re2js), with the semantics of Go's `regexp` where re2js differs: several
 * groups may have one name, and the name does not matter for matching.
 */
export class Re2 {
  /** By group index; the whole match and unnamed groups have the empty name. */
  readonly groupNames: readonly string[];
  readonly #re: RE2JS;
  /** Last text of `test` and of `captures`, with the result; see `test`. */
  #testedText: string | undefined;
  #tested = false;
  #capturedText: string | undefined;
  #captured: Captures | undefined;

  /** @throws Error with RE2's reason when the expression is invalid. */
  constructor(expression: string) {
    const { anonymous, names } = withoutGroupNames(expression);
    this.#re = RE2JS.compile(anonymous);
    this.groupNames = ['', ...names];
  }

  /**
   * Whether the expression matches anywhere in `text`.
   *
   * Fast path: the answer to the last text is kept, here and in `captures`. New series come pod by pod, so most
   * follow one with the same value; RE2 takes 1 to 2 µs for each (docs/internals/measurements.md).
   */
  test(text: string): boolean {
    if (text !== this.#testedText) {
      this.#tested = this.#re.test(text);
      this.#testedText = text;
    }
    return this.#tested;
  }

  /** The leftmost match. */
  captures(text: string): Captures | undefined {
    if (text !== this.#capturedText) {
      this.#captured = this.#find(MatcherInput.utf16(text), text, 0)?.captures;
      this.#capturedText = text;
    }
    return this.#captured;
  }

  /**
   * Every match replaced: Go's `ReplaceAllString`. An empty match right after another match is left out.
   */
  replaceAll(text: string, template: Template): string {
    const input = MatcherInput.utf16(text);
    let result = '';
    let copied = 0;
    let searchFrom = 0;
    while (searchFrom <= text.length) {
      const match = this.#find(input, text, searchFrom);
      if (!match) break;
      const { start, end } = match;
      result += text.slice(copied, start);
      if (end > copied || start === 0) result += template.expand(match.captures);
      copied = end;
      const nextCharacter = searchFrom + ((text.codePointAt(searchFrom) ?? 0) > 0xffff ? 2 : 1);
      searchFrom = Math.max(end, nextCharacter);
    }
    return result + text.slice(copied);
  }

  #find(input: MatcherInput, text: string, from: number) {
    const groups = this.groupNames.length;
    const [found, bounds] = this.#re
      .re2()
      .matchMachineInput(input, from, text.length, UNANCHORED, groups) as [boolean, number[]];
    if (!found) return undefined;
    const captures: (string | undefined)[] = [];
    for (let group = 0; group < groups; group++) {
      const start = bounds[2 * group] ?? -1;
      captures.push(start < 0 ? undefined : text.slice(start, bounds[2 * group + 1]));
    }
    return { captures, start: bounds[0]!, end: bounds[1]! };
  }
}

/** A group's opening with a name that Go accepts. */
const NAMED_GROUP = /^\(\?P?<(\w+)>/;

/** The expression with its named groups made plain, and the name of each capturing group in order. */
function withoutGroupNames(expression: string): { anonymous: string; names: string[] } {
  const names: string[] = [];
  let anonymous = '';
  let at = 0;
  while (at < expression.length) {
    const end = tokenEnd(expression, at);
    const token = expression.slice(at, end);
    const name = NAMED_GROUP.exec(token)?.[1];
    if (name !== undefined) names.push(name);
    else if (token === '(') names.push('');
    anonymous += name === undefined ? token : '(';
    at = end;
  }
  return { anonymous, names };
}

/**
 * The literal text that every match starts with, and the expression for what follows it. The prefix is
 * empty when the expression has alternatives at the top.
 */
export function splitLiteralPrefix(expression: string): { prefix: string; rest: string } {
  const whole = { prefix: '', rest: expression };
  if (hasTopLevelAlternatives(expression)) return whole;
  const literal = /^(?:[^\\.+*?()|[\]{}^$]|\\[!-/:-@[-`{-~])+/u.exec(expression)?.[0] ?? '';
  const rest = expression.slice(literal.length);
  // An operator would belong to the last character only: rare enough to leave the prefix unused.
  if (/^[*+?{]/.test(rest)) return whole;
  return { prefix: literal.replace(/\\(.)/g, '$1'), rest };
}

function hasTopLevelAlternatives(expression: string): boolean {
  let depth = 0;
  for (let at = 0; at < expression.length; at = tokenEnd(expression, at)) {
    const char = expression[at];
    if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (char === '|' && depth === 0) return true;
  }
  return false;
}

/** End of the token at `at`: an escape, a quotation (`\Q…\E`), a class, a group's opening, one character. */
function tokenEnd(expression: string, at: number): number {
  switch (expression[at]) {
    case '\\': {
      if (expression[at + 1] !== 'Q') return at + 2;
      const close = expression.indexOf('\\E', at + 2);
      return close < 0 ? expression.length : close + 2;
    }
    case '[':
      return classEnd(expression, at + 1);
    case '(':
      if (expression[at + 1] !== '?') return at + 1;
      return at + (NAMED_GROUP.exec(expression.slice(at))?.[0].length ?? 2);
    default:
      return at + 1;
  }
}

function classEnd(expression: string, start: number): number {
  let at = start;
  if (expression[at] === '^') at++;
  if (expression[at] === ']') at++;
  while (at < expression.length && expression[at] !== ']') {
    const posix = expression.startsWith('[:', at) ? expression.indexOf(':]', at) : -1;
    if (posix >= 0) at = posix + 2;
    else at += expression[at] === '\\' ? 2 : 1;
  }
  return Math.min(at + 1, expression.length);
}
