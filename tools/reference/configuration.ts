import * as z from 'zod';
import { bare, type Leaf, leavesOf } from '../../src/app/config/leaves.ts';
import { type ReloadEffect, reloadEffect } from '../../src/app/config/reload-effects.ts';
import { options } from '../../src/app/config/schema.ts';
import { cell, code, tableOf } from './markdown.ts';

/** Sections that are lists: no environment variable sets their keys. */
const LISTS = new Set(['routes', 'nodes']);

const HEAD = `# Configuration

<!-- Generated from the options in src/ by \`npm run reference\`. -->

Every key of the configuration file. [config/penstock.yml](../../config/penstock.yml) is a complete example with
comments; \`penstock check\` validates a file offline. [Configure a deployment](../guides/configuration.md) says how
files, environment and secrets work together.

- **Durations**: \`250ms\`, \`30s\`, \`5m\`, \`1h\`, \`7d\`, or a number of milliseconds.
- **Sizes**: \`900KiB\`, \`64MiB\`, \`1GB\`, or a number of bytes.
- **Environment**: each key outside \`routes\` and \`nodes\` can be set by the variable named beside it. Lists are
  separated by commas. A secret may come from a file: the same name with \`_FILE\` behind it.
- **Reload** (\`SIGHUP\` or \`POST /-/reload\`): *yes* is applied by a running process, *restart* takes a new process (the
  reload is refused), *–* means that the process does not use the key.
`;

/** docs/reference/configuration.md. */
export function configurationPage(): string {
  const sections = Object.entries(options.shape).map(([name, schema]) => section(name, schema as z.ZodType));
  return [HEAD, topLevel(), ...sections.filter((text) => text !== '')].join('\n');
}

/** The table of keys that are no sections. */
function topLevel(): string {
  const keys = Object.entries(options.shape).filter(([, schema]) => !hasKeys(schema as z.ZodType));
  const rows = keys.flatMap(([name, schema]) => rowsOf(schema as z.ZodType, [name], false));
  return `## Top level\n\n${table(rows)}`;
}

function section(name: string, wrapped: z.ZodType): string {
  if (!hasKeys(wrapped)) return '';
  const { description } = bare(wrapped);
  return `## ${name}\n\n${description}\n\n${table(rowsOf(inner(wrapped), [name]))}`;
}

/** The keys of a section, or of each item of a list of sections. */
function inner(wrapped: z.ZodType): z.ZodType {
  const { schema } = bare(wrapped);
  return schema instanceof z.ZodArray ? (schema.element as z.ZodType) : wrapped;
}

function hasKeys(wrapped: z.ZodType): boolean {
  return bare(inner(wrapped)).schema instanceof z.ZodObject;
}

interface Row {
  readonly key: string;
  readonly env: string;
  readonly path: readonly string[];
  readonly type: string;
  readonly byDefault: string;
  readonly text: string;
}

/**
 * @param path of the key, with [] behind lists
 * @param isInSection whether the path begins with the section's name, which is above the table
 */
function rowsOf(wrapped: z.ZodType, path: readonly string[], isInSection = true): Row[] {
  const { schema, description } = bare(wrapped);
  const key = path.slice(isInSection ? 1 : 0).join('.');
  const isInList = path.some((step) => step.endsWith('[]'));
  if (schema instanceof z.ZodObject) {
    if (isOverlay(path))
      return [{ key, path, env: '', type: 'section', byDefault: '', text: overlayText(path) }];
    return Object.entries(schema.shape).flatMap(([name, item]) =>
      rowsOf(item as z.ZodType, [...path, name], isInSection),
    );
  }
  if (schema instanceof z.ZodArray && bare(schema.element as z.ZodType).schema instanceof z.ZodObject) {
    const items = rowsOf(
      schema.element as z.ZodType,
      [...path.slice(0, -1), `${path.at(-1)}[]`],
      isInSection,
    );
    return [{ key, path, env: '', type: 'list', byDefault: '', text: description }, ...items];
  }
  const [leaf] = leavesOf(wrapped, path);
  return [
    {
      key,
      path,
      env: isInList || LISTS.has(path[0]!) ? '' : leaf!.env,
      type: typeOf(schema, leaf!),
      byDefault: wrapped.safeParse(undefined).success ? defaultOf(leaf!) : 'required',
      text: description,
    },
  ];
}

/** Whether the section overrides one of `ingest` for a single ingest topic. */
function isOverlay(path: readonly string[]): boolean {
  return path.at(-2) === 'topics[]';
}

function overlayText(path: readonly string[]): string {
  return `Keys of ingest.${path.at(-1)} that differ for this topic.`;
}

/** A Markdown table without its empty columns. */
function table(rows: readonly Row[]): string {
  const columns: [string, (row: Row) => string][] = [
    ['key', ({ key }) => code(key)],
    ['type', ({ type }) => type],
    ['default', ({ byDefault }) => byDefault],
    ['reload: worker', ({ path }) => reload('worker', path)],
    ['reload: drain', ({ path }) => reload('drain', path)],
    ['environment', ({ env }) => (env === '' ? '' : code(env))],
    ['', ({ text }) => cell(text)],
  ];
  const used = columns.filter(([, text]) => rows.some((row) => !['', '–'].includes(text(row))));
  return tableOf(
    used.map(([head]) => head),
    rows.map((row) => used.map(([, text]) => text(row))),
  );
}

const RELOAD: Readonly<Record<ReloadEffect, string>> = { applied: 'yes', restart: 'restart', unused: '–' };

function reload(command: 'worker' | 'drain', path: readonly string[]): string {
  return RELOAD[
    reloadEffect(
      command,
      path.map((key) => key.replace('[]', '')),
    )
  ];
}

function defaultOf({ default: value }: Leaf): string {
  if (value === undefined) return '';
  if (value === '') return 'empty';
  if (Array.isArray(value)) return code(`[${value.join(', ')}]`);
  return code(String(value));
}

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly const?: string;
}

function typeOf(schema: z.ZodType, { secret, file }: Leaf): string {
  if (secret) return 'secret';
  if (file) return 'file';
  return typeName(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema);
}

function typeName(schema: JsonSchema): string {
  const { type, anyOf, pattern, format } = schema;
  if (schema.enum) return schema.enum.map((value) => code(value === '' ? '""' : value)).join(' ');
  if (schema.const !== undefined) return code(schema.const);
  const quantity = anyOf?.find((one) => one.pattern !== undefined)?.pattern;
  if (quantity !== undefined) return quantity.includes('KiB') ? 'size' : 'duration';
  if (anyOf) return anyOf.map(typeName).join(' or ');
  if (type === 'array') return listName(schema.items ?? {});
  if (type === 'integer') return range(schema);
  if (type === 'boolean') return 'boolean';
  if (format === 'uri') return 'URL';
  return pattern?.startsWith('^(?!\\.') ? 'topic name' : 'text';
}

function listName(items: JsonSchema): string {
  return items.type === 'object' ? 'list of rules' : 'list of texts';
}

function range({ minimum, maximum }: JsonSchema): string {
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (minimum === undefined) return 'integer';
  return bounded ? `integer, ${minimum} to ${maximum}` : `integer, ${minimum} or more`;
}
