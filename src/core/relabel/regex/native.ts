import { literalsOf } from './shape.ts';
import { type CharSet, flatten, type Node } from './syntax.ts';

/** Most ways through a pattern's alternatives: each of them costs the engine an attempt. */
const MAX_WAYS = 100;

/**
 * Fast path: JavaScript's own engine, for patterns on which its backtracking is provably linear, so that a
 * rule with a capture group costs 0.1 µs instead of 1.5. The two engines agree on these patterns: both
 * prefer the leftmost alternative and the longest run. Plain twin: RE2 on the same pattern, anchored, with
 * a `.` that matches a newline.
 *
 * @returns undefined when linear time or agreement is not certain.
 */
export function nativeRegExp(node: Node): RegExp | undefined {
  const elements = flatten(node).map(elementOf);
  if (!isLinear(elements) || hasEmptyOption(node)) return undefined;
  return new RegExp(`^(?:${sourceOf(node)})$`, 'u');
}

/** One element of a sequence: how it can begin, and whether it can be empty or arbitrarily long. */
interface Element {
  readonly first: readonly CharSet[];
  readonly nullable: boolean;
  readonly run: boolean;
  /** A run over any character. */
  readonly everything: boolean;
  /** Number of texts it stands for, where that is finite. */
  readonly ways: number;
}

const ANY: CharSet = { ranges: [], negated: true };

function elementOf(node: Node): Element | undefined {
  if (node.kind === 'any') return single(ANY);
  if (node.kind === 'class') return single(node.set);
  if (node.kind === 'repeat' && node.operator !== '?') {
    const inner = flatten(node.node);
    const element = inner.length === 1 ? elementOf(inner[0]!) : undefined;
    // A group that captures inside a repetition keeps its last round: leave that to RE2.
    if (!element || element.nullable || element.run || !isSingleCharacter(node.node)) return undefined;
    return { ...element, nullable: node.operator === '*', run: true, everything: inner[0]!.kind === 'any' };
  }
  const literals = literalsOf(node);
  if (!literals) return undefined;
  return {
    first: literals.filter((text) => text !== '').map((text) => point(text.codePointAt(0)!)),
    nullable: literals.includes(''),
    run: false,
    everything: false,
    ways: literals.length,
  };
}

function isSingleCharacter(node: Node): boolean {
  if (node.kind === 'literal') return [...node.text].length === 1;
  return node.kind === 'any' || node.kind === 'class';
}

function single(set: CharSet): Element {
  return { first: [set], nullable: false, run: false, everything: false, ways: 1 };
}

function point(codePoint: number): CharSet {
  return { ranges: [[codePoint, codePoint]], negated: false };
}

/**
 * Backtracking into a run is useless when what follows cannot begin with a character of the run. One run
 * may be ambiguous, if each of its ends is checked in bounded time, all in all: what follows it has no
 * runs, or starts with a character that those runs cannot pass.
 */
function isLinear(elements: readonly (Element | undefined)[]): boolean {
  if (!elements.every((element) => element !== undefined)) return false;
  if (elements.reduce((ways, element) => ways * element.ways, 1) > MAX_WAYS) return false;
  // A last run over everything never fails once it is reached with a character to take.
  const checked = elements.at(-1)?.everything ? elements.slice(0, -1) : elements;
  const ambiguous = checked.flatMap((_, index) => (isAmbiguous(elements, index) ? [index] : []));
  if (ambiguous.length === 0) return true;
  if (ambiguous.length > 1) return false;
  const tail = checked.slice(ambiguous[0]! + 1);
  const runs = tail.filter((element) => element.run);
  const start = tail[0];
  if (runs.length === 0) return true;
  return start !== undefined && !start.nullable && runs.every((run) => areDisjoint(start.first, run.first));
}

function isAmbiguous(elements: readonly Element[], index: number): boolean {
  const run = elements[index]!;
  if (!run.run) return false;
  for (const follower of elements.slice(index + 1)) {
    if (!areDisjoint(run.first, follower.first)) return true;
    if (!follower.nullable) return false;
  }
  return false;
}

/** JavaScript skips a round of `?` that takes nothing, RE2 does not: they can prefer different matches. */
function hasEmptyOption(node: Node): boolean {
  switch (node.kind) {
    case 'repeat':
      return (
        (node.operator === '?' && literalsOf(node.node)?.includes('') === true) || hasEmptyOption(node.node)
      );
    case 'group':
      return hasEmptyOption(node.node);
    case 'concat':
    case 'alternate':
      return node.nodes.some(hasEmptyOption);
    default:
      return false;
  }
}

function areDisjoint(a: readonly CharSet[], b: readonly CharSet[]): boolean {
  return a.every((x) => b.every((y) => areDisjointSets(x, y)));
}

function areDisjointSets(a: CharSet, b: CharSet): boolean {
  if (a.negated && b.negated) return false;
  if (a.negated) return areDisjointSets(b, a);
  if (!b.negated) return a.ranges.every((x) => b.ranges.every((y) => x[1] < y[0] || y[1] < x[0]));
  // Every range of a must lie within one range of what b leaves out.
  return a.ranges.every((x) => b.ranges.some((y) => y[0] <= x[0] && x[1] <= y[1]));
}

function sourceOf(node: Node): string {
  switch (node.kind) {
    case 'literal':
      return [...node.text].map((char) => escaped(char.codePointAt(0)!)).join('');
    case 'any':
      return '[^]';
    case 'class':
      return classSource(node.set);
    case 'repeat': {
      const source = sourceOf(node.node);
      return `${isSingleCharacter(node.node) || node.node.kind === 'group' ? source : `(?:${source})`}${node.operator}`;
    }
    case 'group':
      return `(${node.capturing ? '' : '?:'}${sourceOf(node.node)})`;
    case 'concat':
      return node.nodes.map((part) => sourceOf(part)).join('');
    case 'alternate':
      return `(?:${node.nodes.map((part) => sourceOf(part)).join('|')})`;
  }
}

function classSource({ ranges, negated }: CharSet): string {
  const members = ranges.map(([low, high]) => `${escaped(low)}-${escaped(high)}`);
  return `[${negated ? '^' : ''}${members.join('')}]`;
}

function escaped(codePoint: number): string {
  return `\\u{${codePoint.toString(16)}}`;
}
