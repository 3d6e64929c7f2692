import { formatPath, type Problem, valueAt } from './problem.ts';
import type { RouteRules } from './route-rules.ts';
import type { Path, Source } from './source.ts';

/** Origin of each value of a configuration: a line of a file, or an environment variable. */
export class Positions {
  readonly #source: Source;
  readonly #origins: ReadonlyMap<string, string>;
  /** Relabeling rules by the route's index. */
  readonly #rules: ReadonlyMap<number, RouteRules>;

  constructor(source: Source, origins: ReadonlyMap<string, string>, rules: ReadonlyMap<number, RouteRules>) {
    this.#source = source;
    this.#origins = origins;
    this.#rules = rules;
  }

  /** `file:line` of the value at `path`, or the environment variable that set it. */
  locate(path: Path): string {
    const { file, line } = this.#where(path);
    return line > 0 ? `${file}:${line}` : file;
  }

  /** The line, from 1, of the value at `path` in its file; 0 if an environment variable set it. */
  lineOf(path: Path): number {
    return this.#where(path).line;
  }

  /** Whether the file or the environment gives a value at `path`; else the default applies. */
  isGiven(path: Path): boolean {
    return this.#origins.has(path.join('.')) || valueAt(this.#source.value, path) !== undefined;
  }

  /** A problem with the value at `path`, with its position. */
  problem(path: Path, message: string): Problem {
    return { ...this.#where(path), path: formatPath(path), message };
  }

  #where(path: Path): { file: string; line: number } {
    for (let length = path.length; length > 0; length--) {
      const variable = this.#origins.get(path.slice(0, length).join('.'));
      if (variable !== undefined) return { file: variable, line: 0 };
    }
    const [section, route, key, index, ruleKey] = path;
    const rules = section === 'routes' && key === 'relabel' ? this.#rules.get(Number(route)) : undefined;
    if (rules !== undefined && typeof index === 'number') {
      return {
        file: rules.file,
        line: rules.lineOf(index, ruleKey === undefined ? undefined : String(ruleKey)),
      };
    }
    return { file: this.#source.file, line: this.#source.lineOf(path) };
  }
}
