import { dirname, resolve } from 'node:path';
import { errorMessage } from '../../core/model/errors.ts';
import { parseRules, RuleSyntaxError } from '../../core/relabel/parse.ts';
import type { RouteOptions } from '../../core/route/options.ts';
import type { Problem } from './problem.ts';
import type { ReadFile, Source } from './source.ts';

/** The relabeling rules of one route as written, with their positions. */
export interface RouteRules {
  readonly file: string;
  readonly rules: readonly unknown[];
  /** Line (from 1) of rule `index`, or of its key. */
  lineOf(index: number, key?: string): number;
}

/**
 * Reads the rules of `routes[at]`: from its relabel_file, else from the configuration itself.
 *
 * Rules in the configuration are read again from their text by the relabeler's own parser: it follows the
 * YAML of the engines, where `regex: 1.50` is the text 1.50, and the same rules must mean the same in both places.
 */
export function readRouteRules(
  route: RouteOptions,
  at: number,
  source: Source,
  readFile: ReadFile,
): RouteRules | Problem {
  const path = ['routes', at, 'relabel'];
  const inline = route.relabel_file === undefined;
  const file = inline ? source.file : resolve(dirname(source.file), route.relabel_file!);
  let text: string | undefined;
  try {
    text = inline ? source.textAt(path) : readFile(file);
  } catch (error) {
    const fileKey = ['routes', at, 'relabel_file'];
    const message = `the file cannot be read: ${errorMessage(error)}; expected a YAML file with a list of rules`;
    return { file: source.file, line: source.lineOf(fileKey), path: `routes[${at}].relabel_file`, message };
  }
  if (text === undefined) {
    const lineOf = (index: number, key?: string) => source.lineOf([...path, index, ...(key ? [key] : [])]);
    return { file, rules: route.relabel, lineOf };
  }
  try {
    const { rules, lineOf } = parseRules(text);
    return { file, rules, lineOf };
  } catch (error) {
    if (!(error instanceof RuleSyntaxError)) throw error;
    return { file, line: error.line, path: `routes[${at}].relabel`, message: error.message };
  }
}
