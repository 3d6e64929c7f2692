/**
 * The part of RE2's syntax that the fast paths of regex.ts understand, as a tree. Everything else is left
 * to RE2 itself: `parseSyntax` answers undefined rather than guess.
 *
 * Understood: literals, `\` before punctuation, `.`, `\d \w \s` and their opposites, plain classes, groups
 * (`(`, `(?:`, `(?s:`, named), `(?s)`, alternation, greedy `*`, `+` and `?`, and anchors at the outer edges.
 * The pattern is taken as anchored, so anchors have no effect, and its `.` as matching a newline.
 */
export type Node =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'class'; readonly set: CharSet }
  | { readonly kind: 'repeat'; readonly node: Node; readonly operator: '*' | '+' | '?' }
  | { readonly kind: 'group'; readonly node: Node; readonly capturing: boolean }
  | { readonly kind: 'concat'; readonly nodes: readonly Node[] }
  | { readonly kind: 'alternate'; readonly nodes: readonly Node[] };

/** Code points from low to high (both included), several ranges; or all the others. */
export interface CharSet {
  readonly ranges: readonly (readonly [low: number, high: number])[];
  readonly negated: boolean;
}

const PERL_CLASSES: Readonly<Record<string, CharSet>> = {
  d: { ranges: [[0x30, 0x39]], negated: false },
  w: { ranges: [[0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]], negated: false }, // biome-ignore format: one class a line
  s: { ranges: [[0x09, 0x0a], [0x0c, 0x0d], [0x20, 0x20]], negated: false }, // biome-ignore format: one class a line
};

const META = /[\\.+*?()|[\]{}^$]/;
const ASCII_PUNCTUATION = /^[!-/:-@[-`{-~]$/;

/** The tree of `expression`, or undefined when it has anything that is not in the subset above. */
export function parseSyntax(expression: string): Node | undefined {
  const parser = new SyntaxParser(expression);
  try {
    return parser.parse();
  } catch (error) {
    if (error instanceof OutsideSubset) return undefined;
    throw error;
  }
}

class OutsideSubset extends Error {}

class SyntaxParser {
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(expression: string) {
    this.#chars = [...expression];
  }

  parse(): Node {
    const node = this.#alternation();
    if (this.#at < this.#chars.length) throw new OutsideSubset();
    return node;
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #accept(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#chars[this.#at + i] !== text[i]) return false;
    this.#at += text.length;
    return true;
  }

  #alternation(): Node {
    const nodes = [this.#sequence()];
    while (this.#accept('|')) nodes.push(this.#sequence());
    return nodes.length === 1 ? nodes[0]! : { kind: 'alternate', nodes };
  }

  #sequence(): Node {
    const nodes: Node[] = [];
    if (this.#depth === 0) while (this.#accept('^'));
    for (;;) {
      const char = this.#peek();
      if (char === undefined || char === '|' || char === ')') break;
      if (char === '$') {
        this.#trailingDollars();
        break;
      }
      nodes.push(this.#repeated(this.#atom()));
    }
    return nodes.length === 1 ? nodes[0]! : { kind: 'concat', nodes: joinLiterals(nodes) };
  }

  #trailingDollars(): void {
    while (this.#accept('$'));
    const next = this.#peek();
    if (this.#depth > 0 || (next !== undefined && next !== '|')) throw new OutsideSubset();
  }

  #repeated(node: Node): Node {
    const operator = this.#peek();
    if (operator !== '*' && operator !== '+' && operator !== '?') return node;
    this.#at++;
    const next = this.#peek();
    if (next === '*' || next === '+' || next === '?') throw new OutsideSubset();
    return { kind: 'repeat', node, operator };
  }

  #atom(): Node {
    const char = this.#chars[this.#at++]!;
    if (char === '.') return { kind: 'any' };
    if (char === '(') return this.#group();
    if (char === '[') return { kind: 'class', set: this.#class() };
    if (char === '\\') return this.#escape();
    if (META.test(char)) throw new OutsideSubset();
    return { kind: 'literal', text: char };
  }

  #escape(): Node {
    const char = this.#chars[this.#at++] ?? '';
    if (ASCII_PUNCTUATION.test(char)) return { kind: 'literal', text: char };
    return { kind: 'class', set: perlClass(char) };
  }

  #group(): Node {
    let capturing = true;
    if (this.#accept('?')) {
      if (this.#accept('s)')) return { kind: 'concat', nodes: [] };
      if (this.#accept(':') || this.#accept('s:')) capturing = false;
      else if (this.#accept('P<') || this.#accept('<')) this.#groupName();
      else throw new OutsideSubset();
    }
    this.#depth++;
    const node = this.#alternation();
    this.#depth--;
    if (!this.#accept(')')) throw new OutsideSubset();
    return { kind: 'group', node, capturing };
  }

  #groupName(): void {
    const start = this.#at;
    while (/^\w$/.test(this.#peek() ?? '')) this.#at++;
    if (this.#at === start || !this.#accept('>')) throw new OutsideSubset();
  }

  #class(): CharSet {
    const negated = this.#accept('^');
    const ranges: (readonly [number, number])[] = [];
    do {
      const low = this.#classMember();
      if (typeof low !== 'number') {
        ranges.push(...low.ranges);
        continue;
      }
      const isRange = this.#peek() === '-' && this.#chars[this.#at + 1] !== ']';
      if (isRange) this.#at++;
      const high = isRange ? this.#classMember() : low;
      if (typeof high !== 'number' || high < low) throw new OutsideSubset();
      ranges.push([low, high]);
    } while (!this.#accept(']'));
    return { ranges, negated };
  }

  #classMember(): number | CharSet {
    const char = this.#chars[this.#at++];
    // A bracket or a leading minus inside a class is rare and easy to get wrong.
    if (char === undefined || char === '[' || char === ']' || char === '-') throw new OutsideSubset();
    if (char !== '\\') return char.codePointAt(0)!;
    const escaped = this.#chars[this.#at++] ?? '';
    if (ASCII_PUNCTUATION.test(escaped)) return escaped.codePointAt(0)!;
    const set = perlClass(escaped);
    if (set.negated) throw new OutsideSubset();
    return set;
  }
}

function perlClass(letter: string): CharSet {
  const set = PERL_CLASSES[letter.toLowerCase()];
  if (!set || letter.length !== 1) throw new OutsideSubset();
  return letter === letter.toLowerCase() ? set : { ranges: set.ranges, negated: true };
}

function joinLiterals(nodes: readonly Node[]): Node[] {
  const joined: Node[] = [];
  for (const node of nodes) {
    const last = joined.at(-1);
    if (node.kind === 'literal' && last?.kind === 'literal') {
      joined[joined.length - 1] = { kind: 'literal', text: last.text + node.text };
    } else {
      joined.push(node);
    }
  }
  return joined;
}

/** The elements of a pattern in order, groups and nested sequences opened. Alternations stay whole. */
export function flatten(node: Node): Node[] {
  if (node.kind === 'group') return flatten(node.node);
  if (node.kind === 'concat') return joinLiterals(node.nodes.flatMap(flatten));
  return [node];
}
