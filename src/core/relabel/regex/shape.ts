import { flatten, type Node } from './syntax.ts';

/** Decides whether a whole text matches. */
export type Test = (text: string) => boolean;

/** Most texts that a pattern may expand to: with more a regular expression is cheaper. */
const MAX_LITERALS = 100;

/**
 * Fast path: a test without a regular expression, for an anchored pattern whose `.` matches a newline too.
 * Undefined when the pattern has none of the shapes: literals, a prefix, a suffix, a part in the middle,
 * `.*`, `.+`, or alternatives of these.
 *
 * Plain twin: RE2 on `^(?s:pattern)$`. Justified by the cold path: a test on RE2 costs 0.4 to 1.5 µs, these
 * cost 0.02 to 0.05 µs.
 */
export function shapeTest(node: Node): Test | undefined {
  const literals = literalsOf(node);
  if (literals) return literalTest(literals);
  if (node.kind === 'alternate') return anyTest(node.nodes);
  if (node.kind === 'group') return shapeTest(node.node);
  return edgeTest(flatten(node));
}

/** All texts that the pattern matches, in order of preference, if they are few. */
export function literalsOf(node: Node): string[] | undefined {
  switch (node.kind) {
    case 'literal':
      return [node.text];
    case 'group':
      return literalsOf(node.node);
    case 'repeat': {
      if (node.operator !== '?') return undefined;
      const inner = literalsOf(node.node);
      return inner && [...inner, ''];
    }
    case 'alternate': {
      const all = node.nodes.map(literalsOf);
      return all.every((texts) => texts !== undefined) ? atMost(all.flat()) : undefined;
    }
    case 'concat': {
      let heads: string[] | undefined = [''];
      for (const part of node.nodes) {
        const tails: string[] | undefined = literalsOf(part);
        if (!heads || !tails || heads.length * tails.length > MAX_LITERALS) return undefined;
        heads = heads.flatMap((head) => tails.map((tail) => head + tail));
      }
      return heads;
    }
    default:
      return undefined;
  }
}

function atMost(texts: string[]): string[] | undefined {
  return texts.length <= MAX_LITERALS ? texts : undefined;
}

function literalTest(literals: readonly string[]): Test {
  const [only] = literals;
  if (literals.length === 1) return (text) => text === only;
  const set = new Set(literals);
  return (text) => set.has(text);
}

function anyTest(nodes: readonly Node[]): Test | undefined {
  const tests: Test[] = [];
  for (const node of nodes) {
    const test = shapeTest(node);
    if (!test) return undefined;
    tests.push(test);
  }
  return (text) => {
    for (const test of tests) if (test(text)) return true;
    return false;
  };
}

function edgeTest(elements: readonly Node[]): Test | undefined {
  const [a, b, c] = elements;
  if (elements.length === 1) return minimumTest(a!);
  if (elements.length === 2) {
    if (a?.kind === 'literal') return prefixTest(a.text, runMinimum(b!));
    if (b?.kind === 'literal') return suffixTest(b.text, runMinimum(a!));
  }
  if (elements.length === 3 && b?.kind === 'literal') {
    return middleTest(b.text, runMinimum(a!), runMinimum(c!));
  }
  return undefined;
}

/** Least number of characters of `.*` or `.+`; undefined for everything else. */
export function runMinimum(node: Node): 0 | 1 | undefined {
  if (node.kind === 'group') return runMinimum(node.node);
  if (node.kind !== 'repeat' || node.operator === '?') return undefined;
  const inner = flatten(node.node);
  if (inner.length !== 1 || inner[0]?.kind !== 'any') return undefined;
  return node.operator === '*' ? 0 : 1;
}

function minimumTest(node: Node): Test | undefined {
  const minimum = runMinimum(node);
  if (minimum === undefined) return undefined;
  return minimum === 0 ? () => true : (text) => text !== '';
}

function prefixTest(prefix: string, rest: 0 | 1 | undefined): Test | undefined {
  if (rest === undefined) return undefined;
  const shortest = prefix.length + rest;
  return (text) => text.length >= shortest && text.startsWith(prefix);
}

function suffixTest(suffix: string, rest: 0 | 1 | undefined): Test | undefined {
  if (rest === undefined) return undefined;
  const shortest = suffix.length + rest;
  return (text) => text.length >= shortest && text.endsWith(suffix);
}

function middleTest(middle: string, before: 0 | 1 | undefined, after: 0 | 1 | undefined): Test | undefined {
  if (before === undefined || after === undefined) return undefined;
  return (text) => {
    const at = text.indexOf(middle, before);
    return at >= 0 && at + middle.length + after <= text.length;
  };
}
