import { type ChangedKey, changedKeys } from './changed-keys.ts';
import type { Options } from './schema.ts';

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
