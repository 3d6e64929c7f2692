import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { bare, leavesOf } from './leaves.ts';
import { formatPath, valueAt } from './problem.ts';
import { type Options, options } from './schema.ts';

/** Effect of a changed key on a running process. */
export type ReloadEffect =
  /** A reload applies it. */
  | 'applied'
  /** It needs a restart: the reload is refused. */
  | 'restart'
  /** The process does not use the key. */
  | 'unused';

export type ReloadingCommand = 'worker' | 'drain';

/** Effects common to all commands, by key path; the longest matching path decides. Unlisted keys need a restart. */
const COMMON: Readonly<Record<string, ReloadEffect>> = {
  kafka: 'restart',
  admin: 'restart',
  'admin.reload_token': 'applied',
  log: 'applied',
  stop_deadline: 'applied',
  allow_no_routes: 'applied',
  routes: 'applied',
  'routes.partitions': 'unused',
  replay: 'unused',
  topics: 'unused',
};

/** Settings that are fixed when a member joins its consumer group, and those fixed when its producers are set up. */
const OF_A_MEMBER = ['session_timeout', 'heartbeat_interval', 'rebalance_timeout'];
const OF_THE_OUTPUT = ['group', 'delivery', 'transaction_timeout'];

const EFFECTS: Readonly<Record<ReloadingCommand, Readonly<Record<string, ReloadEffect>>>> = {
  worker: {
    ...COMMON,
    worker: 'applied',
    ...allOf('worker', ['processes', ...OF_A_MEMBER, ...OF_THE_OUTPUT], 'restart'),
    registry: 'applied',
    // Workers report the deployment's unread partitions too (services/status/unread-watch.ts).
    nodes: 'applied',
    ...allOf(
      'nodes',
      ['url', 'basic_auth', 'bearer_token', 'bearer_token_file', 'allow_insecure', 'tls'],
      'unused',
    ),
    ownership: 'applied',
    drain: 'unused',
  },
  drain: {
    ...COMMON,
    worker: 'unused',
    ...allOf('worker', ['dead_topic', 'tenant_headers', 'topic', 'topics', 'group'], 'applied'),
    registry: 'unused',
    ...allOf('routes', ['match', 'dialect', 'relabel', 'relabel_file', 'task'], 'unused'),
    'routes.task.count': 'applied',
    nodes: 'applied',
    ownership: 'applied',
    drain: 'applied',
    ...allOf('drain', ['node', ...OF_A_MEMBER], 'restart'),
  },
};

function allOf(
  section: string,
  keys: readonly string[],
  effect: ReloadEffect,
): Readonly<Record<string, ReloadEffect>> {
  return Object.fromEntries(keys.map((key) => [`${section}.${key}`, effect]));
}

/** Effect of a change of the key at `path` (without positions in lists) on a running command. */
export function reloadEffect(command: ReloadingCommand, path: readonly string[]): ReloadEffect {
  for (let length = path.length; length > 0; length -= 1) {
    const effect = EFFECTS[command][path.slice(0, length).join('.')];
    if (effect !== undefined) return effect;
  }
  return 'restart';
}

/** The changed keys as text, by their effect on a command. */
export function reloadPlan(
  command: ReloadingCommand,
  before: Options,
  after: Options,
): Readonly<Record<ReloadEffect, readonly string[]>> {
  const changed = changedKeys(before, after);
  const keys = (effect: ReloadEffect) =>
    changed.filter(({ path }: ChangedKey) => reloadEffect(command, path) === effect).map(({ text }) => text);
  return { applied: keys('applied'), restart: keys('restart'), unused: keys('unused') };
}

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
function changedKeys(before: Options, after: Options): ChangedKey[] {
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
