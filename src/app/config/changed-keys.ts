import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { bare, leavesOf } from './leaves.ts';
import { formatPath, valueAt } from './problem.ts';
import { type Options, options } from './schema.ts';

/** A key whose value differs between two configurations. */
export interface ChangedKey {
  /** Without positions in lists: `['routes', 'task', 'count']`; `['routes']` where the list itself has changed. */
  readonly path: readonly string[];
  /** For people: `routes[0].task.count`. Positions are those of the newer configuration. */
  readonly text: string;
}

interface Named {
  readonly name: string;
}

/** The keys whose values differ, in the order of the schema. Items of routes and nodes are matched by name. */
export function changedKeys(before: Options, after: Options): ChangedKey[] {
  return Object.entries(options.shape).flatMap(([section, wrapped]) => {
    const { schema } = bare(wrapped as z.ZodType);
    const [was, is] = [valueAt(before, [section]), valueAt(after, [section])];
    if (!(schema instanceof z.ZodArray))
      return changedLeaves(wrapped as z.ZodType, was, is, [section], [section]);
    return changedItems(schema.element as z.ZodType, was as Named[], is as Named[], section);
  });
}

function changedItems(
  item: z.ZodType,
  before: readonly Named[],
  after: readonly Named[],
  section: string,
): ChangedKey[] {
  const namesOf = (items: readonly Named[]) => items.map(({ name }) => name);
  const isSameList = isDeepStrictEqual(namesOf(before), namesOf(after));
  const list = isSameList ? [] : [{ path: [section], text: section }];
  const items = after.flatMap((is, at) => {
    const was = before.find(({ name }) => name === is.name);
    return was === undefined ? [] : changedLeaves(item, was, is, [section], [section, at]);
  });
  return [...list, ...items];
}

function changedLeaves(
  schema: z.ZodType,
  before: unknown,
  after: unknown,
  section: readonly string[],
  at: readonly (string | number)[],
): ChangedKey[] {
  return leavesOf(schema)
    .filter(({ path }) => !isDeepStrictEqual(valueAt(before, path), valueAt(after, path)))
    .map(({ path }) => ({ path: [...section, ...path], text: formatPath([...at, ...path]) }));
}
