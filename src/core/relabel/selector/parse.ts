/** One filter between braces: label name, operator and value. */
export interface Filter {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

/** A selector that cannot be read. `position` counts UTF-16 units from 0. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
  readonly position: number;

  constructor(text: string, position: number, problem: string, options?: ErrorOptions) {
    super(`invalid selector ${JSON.stringify(text)} at character ${position + 1}: ${problem}`, options);
    this.position = position;
  }
}

/** An element of a group: a filter, or a metric name, in front of the braces or in quotes between them. */
type Entry = { readonly position: number } & ({ readonly filter: Filter } | { readonly metricName: string });

interface Token {
  readonly kind: 'identifier' | 'string' | 'symbol' | 'end';
  readonly text: string;
  readonly position: number;
}

const NAME = '__name__';
const SPACE = /(?:[ \t\n\v\f\r]|#[^\n]*(?:\n|$))*/y;
const ESCAPE = String.raw`\\(?:[xX][0-9a-fA-F]{2}|[uU][0-9a-fA-F]{4}|[^xXuU\p{C}\p{Z}]| )`;
const IDENTIFIER = new RegExp(`(?:[\\p{L}_:]|${ESCAPE})(?:[\\p{L}_:.0-9]|${ESCAPE})*`, 'uy');
const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/sy;
const SYMBOL = /=~|!~|!=|[={}(),+]/y;

/**
 * The filter groups of a series selector: all filters of one group must hold. Grammar: MetricsQL's
 * selectors (metricsql in VictoriaMetrics 1.150), without templates.
 *
 * `{}` has no group at all. Groups joined with `or` share the metric name in front of the braces.
 */
export function parseSelector(text: string): Filter[][] {
  return new SelectorParser(text).parse();
}

class SelectorParser {
  readonly #text: string;
  #token: Token;
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#token = this.#scan();
  }

  parse(): Filter[][] {
    let parentheses = 0;
    // A unary plus has no effect, as in any expression.
    for (;;) {
      if (this.#accept('(')) parentheses++;
      else if (!this.#accept('+')) break;
    }
    const groups = this.#selector();
    for (; parentheses > 0; parentheses--) this.#expect(')');
    if (this.#token.kind !== 'end') throw this.#unexpected('expected the end of the selector');
    return shareMetricName(groups);
  }

  #selector(): Filter[][] {
    const common: Entry[] = [];
    if (this.#token.kind === 'identifier') {
      const { text, position } = this.#advance();
      if (/^(?:inf|nan)$/i.test(text)) throw new SelectorError(this.#text, position, `${text} is a number`);
      common.push({ metricName: unescapeIdentifier(text), position });
      if (!this.#accept('{')) return [this.#group(common)];
    } else {
      this.#expect('{', 'expected a metric name or "{"');
    }
    if (this.#accept('}')) return common.length > 0 ? [this.#group(common)] : [];
    const groups: Filter[][] = [];
    do groups.push(this.#group([...common, ...this.#entries()]));
    while (this.#acceptOr());
    this.#expect('}', 'expected ",", "or" or "}"');
    return groups;
  }

  /** Filters up to `or` or the closing brace, before which a comma may stand. */
  #entries(): Entry[] {
    const entries: Entry[] = [];
    do entries.push(this.#entry());
    while (this.#accept(',') && this.#token.text !== '}');
    return entries;
  }

  #entry(): Entry {
    const { kind, text, position } = this.#token;
    if (kind !== 'identifier' && kind !== 'string') throw this.#unexpected('expected a label name');
    this.#advance();
    const label = unescapeIdentifier(kind === 'string' ? text.slice(1, -1) : text);
    const operator = this.#token.text;
    if (operator === '=' || operator === '!=' || operator === '=~' || operator === '!~') {
      this.#advance();
      return { filter: { label, operator, value: this.#value() }, position };
    }
    if (kind === 'string') return { metricName: label, position };
    throw this.#unexpected('expected "=", "!=", "=~" or "!~"');
  }

  /** Strings joined with `+`. */
  #value(): string {
    let value = '';
    do {
      if (this.#token.kind !== 'string') throw this.#unexpected('expected a value in quotes');
      const { text, position } = this.#advance();
      const part = unquote(text);
      if (part === undefined) throw new SelectorError(this.#text, position, `invalid string ${text}`);
      value += part;
    } while (this.#accept('+'));
    return value;
  }

  /** A metric name is a filter in front of the others; there can be one name only. */
  #group(entries: readonly Entry[]): Filter[] {
    const filters: Filter[] = [];
    let metricName = '';
    for (const entry of entries) {
      const name = 'filter' in entry ? requiredName(entry.filter) : entry.metricName;
      if (name === undefined) {
        if ('filter' in entry) filters.push(entry.filter);
        continue;
      }
      if (metricName !== '' && metricName !== name) {
        throw new SelectorError(
          this.#text,
          entry.position,
          `two metric names, "${metricName}" and "${name}"`,
        );
      }
      metricName = name;
      filters.unshift({ label: NAME, operator: '=', value: name });
    }
    return filters;
  }

  #accept(symbol: string): boolean {
    if (this.#token.kind !== 'symbol' || this.#token.text !== symbol) return false;
    this.#advance();
    return true;
  }

  #acceptOr(): boolean {
    if (this.#token.kind !== 'identifier' || this.#token.text.toLowerCase() !== 'or') return false;
    this.#advance();
    return true;
  }

  #expect(symbol: string, expected = `expected "${symbol}"`): void {
    if (!this.#accept(symbol)) throw this.#unexpected(expected);
  }

  #unexpected(expected: string): SelectorError {
    const { kind, text, position } = this.#token;
    const found = kind === 'end' ? 'the end' : JSON.stringify(text);
    return new SelectorError(this.#text, position, `${expected}, found ${found}`);
  }

  #advance(): Token {
    const token = this.#token;
    this.#token = this.#scan();
    return token;
  }

  #scan(): Token {
    SPACE.lastIndex = this.#next;
    SPACE.exec(this.#text);
    const position = SPACE.lastIndex;
    if (position === this.#text.length) return { kind: 'end', text: '', position };
    for (const [kind, pattern] of TOKENS) {
      pattern.lastIndex = position;
      const text = pattern.exec(this.#text)?.[0];
      if (text === undefined) continue;
      this.#next = position + text.length;
      return { kind, text, position };
    }
    const rest = this.#text.slice(position);
    const problem = /^["'`]/.test(rest)
      ? 'the string has no closing quote'
      : `unexpected ${JSON.stringify(rest)}`;
    throw new SelectorError(this.#text, position, problem);
  }
}

const TOKENS: readonly (readonly ['identifier' | 'string' | 'symbol', RegExp])[] = [
  ['identifier', IDENTIFIER],
  ['string', STRING],
  ['symbol', SYMBOL],
];

function requiredName({ label, operator, value }: Filter): string | undefined {
  return label === NAME && operator === '=' ? value : undefined;
}

/** If all groups that require a metric name require the same, those without a filter on the name get it too. */
function shareMetricName(groups: Filter[][]): Filter[][] {
  const names = new Set(groups.flatMap(([first]) => (first && requiredName(first)) || []));
  const [name] = names;
  if (names.size !== 1 || name === undefined) return groups;
  return groups.map((filters) =>
    filters.some(({ label }) => label === NAME)
      ? filters
      : [{ label: NAME, operator: '=', value: name }, ...filters],
  );
}

function unescapeIdentifier(text: string): string {
  return text.replace(/\\(?:[xX]([0-9a-fA-F]{2})|[uU]([0-9a-fA-F]{4})|([^xXuU]))/gu, (_, hex2, hex4, char) =>
    char === undefined ? String.fromCodePoint(Number.parseInt(hex2 ?? hex4, 16)) : char,
  );
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};
const STRING_PART =
  /[^\\"\n]+|\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;

/** The text of a quoted string by Go's rules; undefined when it breaks them. Single quotes work as double. */
function unquote(quoted: string): string | undefined {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return inner.includes('`') ? undefined : inner.replaceAll('\r', '');
  const text = quoted.startsWith("'") ? inner.replaceAll("\\'", "'").replaceAll('"', '\\"') : inner;
  const bytes: Buffer[] = [];
  STRING_PART.lastIndex = 0;
  for (let at = 0; at < text.length; at = STRING_PART.lastIndex) {
    const match = STRING_PART.exec(text);
    if (!match) return undefined;
    const [whole, simple, hex, octal, short, long] = match;
    const byte = hex !== undefined ? Number.parseInt(hex, 16) : Number.parseInt(octal ?? '', 8);
    const codePoint = Number.parseInt(short ?? long ?? '', 16);
    if (byte > 0xff || codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint < 0xe000)) return undefined;
    if (simple !== undefined) bytes.push(Buffer.from(SIMPLE_ESCAPES[simple]!));
    else if (!Number.isNaN(byte)) bytes.push(Buffer.of(byte));
    else bytes.push(Buffer.from(Number.isNaN(codePoint) ? whole : String.fromCodePoint(codePoint)));
  }
  return Buffer.concat(bytes).toString();
}
