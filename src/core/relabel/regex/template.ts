/** Texts of a match's groups, by index; 0 is the whole match. Undefined: the group took no part in it. */
export type Captures = readonly (string | undefined)[];

/** A replacement with references to capture groups, parsed once. Syntax: Go's `regexp.Expand`. */
export interface Template {
  /** The text if it refers to no existing group; then `expand` is not needed. */
  readonly constant: string | undefined;
  /** Without a match every reference is empty. */
  expand(captures: Captures | undefined): string;
}

/** Literal text, or the groups (by index) of which the first that took part in the match is inserted. */
type Part = string | readonly number[];

const NAME = /^[\p{L}\p{Nd}_]+/u;

/**
 * Parses `$name`, `${name}`, `$1` and `$$`. A name is as long as letters, digits and underscores reach
 * (`$1x` is the group named `1x`), an unknown group is empty, and a `$` that starts nothing stays a `$`.
 *
 * @param groupNames by group index; unnamed groups and the whole match have the empty name.
 */
export function compileTemplate(text: string, groupNames: readonly string[]): Template {
  const parts = mergeLiterals(parseParts(text, groupNames));
  if (parts.length === 0) return constantTemplate('');
  const [first] = parts;
  if (parts.length === 1 && typeof first === 'string') return constantTemplate(first);
  return { constant: undefined, expand: (captures) => expandParts(parts, captures) };
}

function constantTemplate(text: string): Template {
  return { constant: text, expand: () => text };
}

function expandParts(parts: readonly Part[], captures: Captures | undefined): string {
  let result = '';
  for (const part of parts) {
    if (typeof part === 'string') result += part;
    else if (captures !== undefined) result += firstCaptured(part, captures);
  }
  return result;
}

function firstCaptured(groups: readonly number[], captures: Captures): string {
  for (const group of groups) {
    const value = captures[group];
    if (value !== undefined) return value;
  }
  return '';
}

function parseParts(text: string, groupNames: readonly string[]): Part[] {
  const parts: Part[] = [];
  let rest = text;
  for (;;) {
    const dollar = rest.indexOf('$');
    if (dollar < 0) break;
    parts.push(rest.slice(0, dollar));
    rest = rest.slice(dollar + 1);
    if (rest.startsWith('$')) {
      parts.push('$');
      rest = rest.slice(1);
      continue;
    }
    const reference = readReference(rest);
    if (!reference) {
      parts.push('$');
      continue;
    }
    parts.push(groupsOf(reference.name, groupNames));
    rest = rest.slice(reference.length);
  }
  parts.push(rest);
  return parts;
}

function readReference(text: string): { name: string; length: number } | undefined {
  const braced = text.startsWith('{');
  const name = NAME.exec(braced ? text.slice(1) : text)?.[0];
  if (name === undefined) return undefined;
  if (!braced) return { name, length: name.length };
  return text[name.length + 1] === '}' ? { name, length: name.length + 2 } : undefined;
}

function groupsOf(name: string, groupNames: readonly string[]): number[] {
  // A leading zero, or more than nine digits, makes it a name.
  if (/^(?:0|[1-9][0-9]{0,8})$/.test(name)) {
    const group = Number(name);
    return group < groupNames.length ? [group] : [];
  }
  return [...groupNames.keys()].filter((group) => groupNames[group] === name);
}

function mergeLiterals(parts: readonly Part[]): Part[] {
  const merged: Part[] = [];
  for (const part of parts) {
    if (part.length === 0) continue;
    const last = merged.at(-1);
    if (typeof part === 'string' && typeof last === 'string') merged[merged.length - 1] = last + part;
    else merged.push(part);
  }
  return merged;
}
