import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { bare, schemaAt } from '../../src/app/config/leaves.ts';
import { options } from '../../src/app/config/schema.ts';

export const EXAMPLE_FILE = 'config/penstock.yml';

/** Sections with examples written by hand. */
const BY_HAND = new Set(['routes', 'nodes']);
const WIDTH = 118;
const KEY = /^(\s*)(# )?([a-z_]+):(?: |$)/;
const COMMENT = /^\s*#/;

/** The example configuration with the text of each key's option as the comment above it. */
export function commentedExample(text: string): string {
  const out: string[] = [];
  /** Number of comment lines at the end of `out` that are no keys. */
  let comments = 0;
  const parents: { readonly indent: number; readonly key: string }[] = [];
  for (const line of text.split('\n')) {
    const [, space = '', , key] = KEY.exec(line) ?? [];
    const above = parents.filter(({ indent }) => indent < space.length);
    const path = [...above.map((parent) => parent.key), key ?? ''];
    if (key === undefined || !isKey(path)) {
      comments = COMMENT.test(line) ? comments + 1 : 0;
      out.push(line);
      continue;
    }
    parents.splice(above.length, Number.POSITIVE_INFINITY, { indent: space.length, key });
    const comment = commentOf(path);
    if (comment !== undefined) out.splice(out.length - comments, comments, ...wrapped(comment, space));
    comments = 0;
    out.push(line);
  }
  return out.join('\n');
}

export function currentExample(): string {
  return readFileSync(new URL(`../../${EXAMPLE_FILE}`, import.meta.url), 'utf8');
}

function optionAt(path: readonly string[]): z.ZodType | undefined {
  const parent = path.length === 1 ? options : schemaAt(options, path.slice(0, -1));
  return parent instanceof z.ZodObject ? (parent.shape[path.at(-1)!] as z.ZodType | undefined) : undefined;
}

/** Whether a path is a key and not a comment that looks like one: `exactly_once: …`. In examples every path is. */
function isKey(path: readonly string[]): boolean {
  return optionAt(path) !== undefined || (BY_HAND.has(path[0]!) && path.length > 1);
}

/** Text of the option; undefined in examples, which have comments of their own. */
function commentOf(path: readonly string[]): string | undefined {
  if (BY_HAND.has(path[0]!) && path.length > 1) return undefined;
  const { schema, description } = bare(optionAt(path)!);
  return `${description}${valuesText(schema, description)}`;
}

/** The values of a key, unless its text names them. */
function valuesText(schema: z.ZodType, description: string): string {
  if (!(schema instanceof z.ZodEnum)) return '';
  const values = schema.options.map(String).filter((value) => value !== '');
  if (values.every((value) => new RegExp(`\\b${value}\\b`).test(description))) return '';
  return values.length === 1 ? ` Only ${values[0]}.` : ` One of ${values.join(', ')}.`;
}

function wrapped(text: string, space: string): string[] {
  const lines: string[] = [];
  let line = `${space}#`;
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${space}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
