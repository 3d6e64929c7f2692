import { nativeRegExp } from './native.ts';
import { Re2, splitLiteralPrefix } from './re2.ts';
import { runMinimum, shapeTest, type Test } from './shape.ts';
import { flatten, type Node, parseSyntax } from './syntax.ts';
import type { Captures, Template } from './template.ts';

/**
 * Texts up to this length (UTF-16 units) may take the native fast path: its backtracking stack grows with
 * the text. Label values are far shorter.
 */
const NATIVE_LIMIT = 16_384;

/** A pattern that must match a whole text. `.` matches a newline. */
export interface WholePattern {
  readonly groupNames: readonly string[];
  test(text: string): boolean;
  captures(text: string): Captures | undefined;
  /** Every match in `text` replaced: the whole text, or more often if the expression escapes its anchors. */
  replaceAll(text: string, template: Template): string;
}

/** Prometheus' patterns: anchored, dot-all. @throws Error with RE2's reason. */
export function prometheusPattern(expression: string): WholePattern {
  return wholePattern(new Re2(`^(?s:${expression})$`), parseSyntax(expression));
}

function wholePattern(plain: Re2, syntax: Node | undefined): WholePattern {
  const native = syntax && nativeRegExp(syntax);
  const shape = syntax && shapeTest(syntax);
  const capturesPlain = (text: string) => plain.captures(text);
  return {
    groupNames: plain.groupNames,
    test: shape ?? nativeTest(native, plain),
    captures: native ? nativeCaptures(native, capturesPlain) : capturesPlain,
    replaceAll: (text, template) => plain.replaceAll(text, template),
  };
}

function nativeTest(native: RegExp | undefined, plain: Re2): Test {
  if (!native) return (text) => plain.test(text);
  return (text) => (text.length <= NATIVE_LIMIT ? native.test(text) : plain.test(text));
}

/** Keeps the answer to the last text: most new series follow one with the same value (see `Re2.test`). */
function nativeCaptures(native: RegExp, plain: (text: string) => Captures | undefined) {
  let last: string | undefined;
  let captures: Captures | undefined;
  return (text: string): Captures | undefined => {
    if (text.length > NATIVE_LIMIT) return plain(text);
    if (text !== last) {
      captures = native.exec(text) ?? undefined;
      last = text;
    }
    return captures;
  };
}

/**
 * An expression as VictoriaMetrics compiles it: `.` matches a newline in tests, but not in captures.
 */
export interface VictoriaMetricsPattern extends Omit<WholePattern, 'replaceAll'> {
  /** The expression matches everything: VictoriaMetrics then drops it and captures with `(.*)`. */
  readonly matchesEverything: boolean;
  /** Unless the text has a newline, `captures` finds a match whenever `test` does. */
  readonly capturesWhatItTests: boolean;
  /** The expression unanchored, for actions that search inside a text. */
  readonly inside: Re2;
  /** The expression's text; its anchors are kept only for such an action. */
  readonly text: string;
}

/** The pattern of a rule without `regex`. */
export const MATCH_EVERYTHING: VictoriaMetricsPattern = {
  ...everythingPattern(),
  matchesEverything: true,
  capturesWhatItTests: true,
  inside: new Re2('.*'),
  text: '.*',
};

function everythingPattern(): Omit<WholePattern, 'replaceAll'> {
  const plain = new Re2('^(.*)$');
  return {
    groupNames: plain.groupNames,
    test: () => true,
    captures: (text) => (text.includes('\n') ? undefined : [text, text]),
  };
}

/**
 * @param keepAnchors for actions that search inside a text.
 * @throws Error with RE2's reason.
 */
export function victoriaMetricsPattern(expression: string, keepAnchors: boolean): VictoriaMetricsPattern {
  const given = parseSyntax(expression);
  if (given && isEverything(given)) return MATCH_EVERYTHING;
  const text = keepAnchors ? expression : withoutAnchors(expression);
  const plain = new Re2(keepAnchors ? text : `^(?:${text})$`);
  const inside = new Re2(text);
  const native = given && nativeRegExp(given);
  const capturesPlain = (source: string) => plain.captures(source);
  const captures = native ? nativeCaptures(native, capturesPlain) : capturesPlain;
  return {
    groupNames: plain.groupNames,
    matchesEverything: false,
    capturesWhatItTests: given !== undefined || splitLiteralPrefix(text).prefix === '',
    inside,
    text,
    test: victoriaMetricsTest(text),
    captures: native
      ? (source) => (source.includes('\n') ? plain.captures(source) : captures(source))
      : capturesPlain,
  };
}

/**
 * VictoriaMetrics' test of a whole text, also used by its selectors. It is RE2, anchored and dot-all,
 * except for three shortcuts: a single `.` after at most a prefix does not match a newline,
 * `.+text.+` looks at the first `text` only, and a literal prefix is cut off before RE2 sees the rest, so
 * that `^`, `\b` and the like behind it see the start of a text.
 *
 * @throws Error with RE2's reason.
 */
export function victoriaMetricsTest(expression: string): Test {
  new Re2(expression);
  const syntax = parseSyntax(expression);
  const shortcut = syntax && shortcutTest(syntax);
  if (shortcut) return shortcut;
  if (syntax) return wholePattern(new Re2(`^(?s:${expression})$`), syntax).test;
  const { prefix, rest } = splitLiteralPrefix(expression);
  const plain = new Re2(`^(?s:${rest})$`);
  if (prefix === '') return (text) => plain.test(text);
  return (text) => text.startsWith(prefix) && plain.test(text.slice(prefix.length));
}

function shortcutTest(syntax: Node): Test | undefined {
  const elements = flatten(syntax);
  const prefix = elements[0]?.kind === 'literal' ? elements[0].text : '';
  const [first, middle, last, ...more] = prefix === '' ? elements : elements.slice(1);
  if (first?.kind === 'any' && middle === undefined) {
    return (text) => text.startsWith(prefix) && isOneCharacter(text.slice(prefix.length));
  }
  if (middle?.kind !== 'literal' || more.length > 0) return undefined;
  if (!first || runMinimum(first) !== 1 || !last || runMinimum(last) !== 1) return undefined;
  return (text) => {
    if (!text.startsWith(prefix)) return false;
    const at = text.indexOf(middle.text, prefix.length);
    return at > prefix.length && at + middle.text.length < text.length;
  };
}

function isOneCharacter(text: string): boolean {
  return text !== '' && text !== '\n' && text.length === ((text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1);
}

/** Whether VictoriaMetrics simplifies the pattern to `.*`. */
function isEverything(syntax: Node): boolean {
  return dotOperator(syntax) === '*';
}

/** The operator of a repeated `.`, where one repetition inside another of its kind counts once. */
function dotOperator(node: Node): '' | '*' | '+' | '?' | undefined {
  const [only, ...more] = flatten(node);
  if (!only || more.length > 0) return undefined;
  if (only.kind === 'any') return '';
  if (only.kind !== 'repeat') return undefined;
  const inner = dotOperator(only.node);
  return inner === '' || inner === only.operator ? only.operator : undefined;
}

/** VictoriaMetrics strips anchors from the text before it anchors it. */
function withoutAnchors(expression: string): string {
  let text = expression.replace(/^\^+/, '');
  while (text.endsWith('$') && !text.endsWith('\\$')) text = text.slice(0, -1);
  return text;
}

/** Message for an expression that RE2 has refused. */
export function invalidRegexMessage(expression: string, error: unknown): string {
  const reason =
    error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
  return `invalid regex ${JSON.stringify(expression)}: ${reason}`;
}
