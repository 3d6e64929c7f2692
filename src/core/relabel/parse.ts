import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
  type YAMLMap,
} from 'yaml';
import { resolvePlain } from './scalar.ts';

/** Text that is not YAML, or not a list of rules. */
export class RuleSyntaxError extends Error {
  override readonly name = 'RuleSyntaxError';
  /** Line in the text, from 1. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

export interface ParsedRules {
  /** One entry a rule, as `compileRelabel` takes them. Scalars that are not text are `YamlScalar`. */
  readonly rules: unknown[];
  /** Line (from 1) of rule `index`, or of its key `key` when the rule has it. */
  lineOf(index: number, key?: string): number;
}

/**
 * Relabel rules from YAML 1.1 text, read as Go's YAML library reads it. Only the first document counts.
 *
 * @throws RuleSyntaxError with the line, when the text is not YAML or not a list.
 */
export function parseRules(source: string): ParsedRules {
  const text = source.replace(/^\ufeff/, '');
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: '1.1',
    schema: 'failsafe',
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const document: Document.Parsed | undefined = Array.isArray(documents) ? documents[0] : undefined;
  const error = document?.errors[0];
  if (error) throw new RuleSyntaxError(lines.linePos(error.pos[0]).line, `not valid YAML: ${error.message}`);
  const root = document?.contents;
  if (!document || !root || isNullNode(root)) return { rules: [], lineOf: () => 1 };

  const lineOfNode = (node: unknown): number => {
    const range = (node as Node | undefined)?.range;
    return range ? lines.linePos(range[0]).line : 1;
  };
  if (!isSeq(root)) {
    throw new RuleSyntaxError(lineOfNode(root), 'expected a list of rules: start each rule with "- "');
  }
  const reader = new NodeReader(document, lineOfNode, text);
  return {
    rules: root.items.map((item) => reader.read(item)),
    lineOf(index, key) {
      const item = root.items[index];
      const resolved = isAlias(item) ? item.resolve(document) : item;
      if (key !== undefined && isMap(resolved)) {
        const pair = resolved.items.find(({ key: node }) => isScalar(node) && node.value === key);
        if (pair) return lineOfNode(pair.key);
      }
      return lineOfNode(item);
    },
  };
}

/** Turns YAML nodes into values, keeping how a plain scalar was written. */
class NodeReader {
  readonly #document: Document;
  readonly #lineOf: (node: unknown) => number;
  readonly #text: string;
  /** Targets of the aliases that are being followed, to find cycles. */
  readonly #open = new Set<unknown>();

  constructor(document: Document, lineOf: (node: unknown) => number, text: string) {
    this.#document = document;
    this.#lineOf = lineOf;
    this.#text = text;
  }

  read(node: unknown): unknown {
    if (isAlias(node)) return this.#follow(node, (target) => this.read(target));
    if (isSeq(node)) return node.items.map((item) => this.read(item));
    if (isMap(node)) return Object.fromEntries(this.#entries(node));
    if (isScalar(node)) return this.#scalar(node);
    return resolvePlain('');
  }

  *#entries(map: YAMLMap): Generator<[string, unknown]> {
    for (const { key, value } of map.items) {
      if (isScalar(key) && key.type === Scalar.PLAIN && key.value === '<<') {
        yield* this.#merged(value);
      } else if (isScalar(key)) {
        yield [String(key.value), this.read(value)];
      } else {
        throw new RuleSyntaxError(this.#lineOf(key), 'a key must be text');
      }
    }
  }

  #merged(value: unknown): [string, unknown][] {
    if (isAlias(value)) return this.#follow(value, (target) => this.#merged(target));
    if (isMap(value)) return [...this.#entries(value)];
    if (isSeq(value)) return value.items.toReversed().flatMap((item) => this.#merged(item));
    throw new RuleSyntaxError(this.#lineOf(value), 'a merge key (<<) needs a mapping');
  }

  #follow<T>(alias: Alias, read: (target: unknown) => T): T {
    const target = alias.resolve(this.#document);
    if (!target) throw new RuleSyntaxError(this.#lineOf(alias), `unknown anchor "${alias.source}"`);
    if (this.#open.has(target)) {
      throw new RuleSyntaxError(this.#lineOf(alias), `the anchor "${alias.source}" contains itself`);
    }
    this.#open.add(target);
    const result = read(target);
    this.#open.delete(target);
    return result;
  }

  #scalar(node: Scalar): unknown {
    const value = String(node.value ?? '');
    if (node.type === Scalar.PLAIN) return node.tag?.endsWith(':str') ? value : resolvePlain(value);
    const isBlock = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
    // Go's library adds no line end that the text does not have.
    const endsText = !this.#text.endsWith('\n') && (node.range?.[1] ?? 0) >= this.#text.length;
    return isBlock && endsText ? value.replace(/\n$/, '') : value;
  }
}

function isNullNode(node: unknown): boolean {
  return (
    isScalar(node) && node.type === Scalar.PLAIN && /^(?:~|null|Null|NULL)?$/.test(String(node.value ?? ''))
  );
}
