import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import { errorMessage } from '../../core/model/errors.ts';
import { type OldName, renameSections } from './old-names.ts';
import { formatPath, type Problem } from './problem.ts';

export type Path = readonly (string | number)[];

/** Reads a file as UTF-8 text; throws if it cannot be read. */
export type ReadFile = (path: string) => string;

/** Replacements for messages of the YAML library that quote the text, which may be a secret without its quotes. */
const UNQUOTED: Partial<Record<ErrorCode, string>> = {
  BAD_DIRECTIVE: 'a line that begins with % is no directive that is known',
  BAD_DQ_ESCAPE:
    'there is no such escape sequence; expected a doubled backslash, or single quotes around the text',
  TAG_RESOLVE_FAILED: 'what begins with ! is no tag that is known; expected quotes around it if it is a text',
};
const UNRESOLVED = 'there is no anchor for what begins with *; expected quotes around it if it is a text';

/** A parsed YAML text, with the line of each key and item. */
export class Source {
  readonly file: string;
  /** The text as plain values; undefined if it is empty or not YAML. */
  readonly value: unknown;
  /** Errors that make the text invalid YAML, each with its line. */
  readonly problems: readonly Problem[];
  /** Warnings of sections under an old name, which `value` has under the new one. */
  readonly warnings: readonly Problem[];
  readonly #text: string;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string) {
    this.file = file;
    this.#text = text;
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      merge: true,
      logLevel: 'error',
    });
    const problems: Problem[] = [...this.#document.errors, ...this.#document.warnings].map((error) => ({
      file,
      line: this.#lines.linePos(error.pos[0]).line,
      path: '',
      message: `this is no valid YAML: ${withoutText(error)}`,
    }));
    visit(this.#document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.#document) !== undefined) return;
        const { line } = this.#lines.linePos(alias.range?.[0] ?? 0);
        problems.push({ file, line, path: '', message: `this is no valid YAML: ${UNRESOLVED}` });
      },
    });
    const old = renameSections(this.#document);
    const told = ({ path, position, message }: OldName): Problem => ({
      file,
      line: this.#lines.linePos(position).line,
      path: formatPath(path),
      message,
    });
    problems.push(...old.problems.map(told));
    this.warnings = old.warnings.map(told);
    if (problems.length === 0) {
      try {
        this.value = this.#document.toJS() ?? undefined;
      } catch (error) {
        problems.push({ file, line: 1, path: '', message: `this is no valid YAML: ${errorMessage(error)}` });
      }
    }
    this.problems = problems;
  }

  /** The line, from 1, of the key or item at `path`; of the nearest one around it if it is not in the text. */
  lineOf(path: Path): number {
    return this.#lines.linePos(this.#find(path).position).line;
  }

  /**
   * The text of the value at `path`, padded with line breaks and spaces in front, so that positions in it are those of
   * the file. Undefined if there is no such value, or if it refers to anchors, which may be elsewhere.
   */
  textAt(path: Path): string | undefined {
    const found = this.#find(path);
    if (!found.complete || !found.node?.range) return undefined;
    let aliases = 0;
    visit(found.node, { Alias: () => void aliases++ });
    if (aliases > 0) return undefined;
    const [start, end] = found.node.range;
    const { line, col } = this.#lines.linePos(start);
    return '\n'.repeat(line - 1) + ' '.repeat(col - 1) + this.#text.slice(start, end);
  }

  /** Follows `path` as far as it goes: the node there, and where its key or item begins. */
  #find(path: Path): { node: Node | null; position: number; complete: boolean } {
    let node = this.#resolve(this.#document.contents);
    let position = node?.range?.[0] ?? 0;
    for (const step of path) {
      let start: Node | undefined;
      let next: unknown;
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
        start = pair?.key as Node | undefined;
        next = pair?.value;
      } else if (isSeq(node) && typeof step === 'number') {
        start = next = node.items[step] as Node | undefined;
      }
      if (start === undefined) return { node, position, complete: false };
      position = start.range?.[0] ?? position;
      node = this.#resolve(next);
    }
    return { node, position, complete: true };
  }

  #resolve(node: unknown): Node | null {
    return ((isAlias(node) ? node.resolve(this.#document) : node) ?? null) as Node | null;
  }
}

/** The message of an error, without the text it quotes. */
function withoutText({ code, message }: YAMLError): string {
  if (code === 'UNEXPECTED_TOKEN') return message.replace(/: .*/s, '');
  return UNQUOTED[code] ?? message;
}
