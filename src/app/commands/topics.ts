import { expectedName } from '../../core/model/nearest.ts';
import { TopicAdmin } from '../../io/kafka/admin/topic-admin.ts';
import { applyTopics, readPlan } from '../../services/topics/apply.ts';
import type { TopicChange, TopicPlan } from '../../services/topics/plan.ts';
import { loadConfig } from '../config/load.ts';
import { DONE, FAILED, parseCommand, printJson, usageError } from './command.ts';
import { configuredTopics } from './configured-topics.ts';
import { withKafkaAdmin } from './kafka-session.ts';
import { formatTable } from './text/table.ts';
import { wrap } from './text/wrap.ts';

const HELP = `
penstock topics plan|apply [-c FILE] [--allow-shrink] [--json]

Compares the topics that the configuration needs with those that the cluster has: the ingest topics, the task
topic of every route, the dead-letter topic; their partitions, retention and record sizes.

  plan    shows what would be done, and does nothing
  apply   does it, and waits until every partition has a leader

  --allow-shrink   alter settings of existing topics also where that takes records away: shorter retention,
                   compaction, smaller records. Only for keys that stand in the configuration file or the environment

No topic and no partition is ever deleted. A topic that exists is altered only by keys that stand in the file or
the environment, and by what Penstock needs to work; defaults are for new topics. Settings that the configuration
does not speak of stay as they are. Without --allow-shrink nothing is altered that takes records away: such a plan is
refused as a whole. apply may be run again, and by several processes at once.

Exit code 0: the plan was shown, or the topics are as needed (--json: changes tells what there was to do).
1: the plan is refused, or Kafka failed; then apply has told what it did.
`;

const ACTIONS = ['plan', 'apply'];

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(argv, {
    name: 'topics',
    help: HELP,
    options: { 'allow-shrink': { type: 'boolean' } },
    positionals: { min: 1, max: 1 },
  });
  if (command === undefined) return DONE;
  const [action = ''] = command.positionals;
  if (!ACTIONS.includes(action)) {
    throw usageError('topics', `unknown action ${action}; ${expectedName(action, ACTIONS)}`);
  }
  const config = loadConfig({ file: command.configFile, env: process.env });
  const wanted = configuredTopics(config);
  const options = { allowShrink: command.values['allow-shrink'] ?? false };

  return await withKafkaAdmin('topics', config.kafka, async (admin) => {
    const topics = new TopicAdmin(admin);
    const plan = await readPlan(wanted, topics, options);
    if (!command.json) process.stdout.write(formatPlan(plan));
    if (action === 'plan' || isRefused(plan)) {
      if (command.json)
        printJson({ applied: false, changes: plan.flatMap(({ changes }) => changes), ...state(plan) });
      return isRefused(plan) ? FAILED : DONE;
    }
    const changes: TopicChange[] = [];
    const left = await applyTopics(wanted, topics, options, (change) => {
      changes.push(change);
      if (!command.json) process.stdout.write(`${change.topic}: ${pastTense(change)}\n`);
    });
    const applied = !isRefused(left);
    if (command.json) printJson({ applied, changes, ...state(left) });
    else process.stdout.write(applied ? 'All topics are as needed.\n' : formatPlan(left));
    return applied ? DONE : FAILED;
  });
}

function isRefused(plan: readonly TopicPlan[]): boolean {
  return plan.some(({ refusals }) => refusals.length > 0);
}

function state(plan: readonly TopicPlan[]): object {
  return {
    topics: plan.map(({ topic, purpose, partitions, target, warnings, refusals }) => ({
      topic,
      purpose,
      partitions: partitions ?? null,
      wanted_partitions: target,
      warnings,
      refusals,
    })),
  };
}

function formatPlan(plan: readonly TopicPlan[]): string {
  const rows = plan.flatMap(({ topic, purpose, partitions, target, changes, refusals }) => {
    const lines = refusals.length > 0 ? ['refused, see below'] : changes.flatMap(describe);
    const [first = 'nothing to do', ...more] = lines;
    const count =
      partitions === undefined || partitions === target ? `${target}` : `${partitions} ▸ ${target}`;
    return [[topic, purpose, count, first], ...more.map((line) => ['', '', '', line])];
  });
  const notes = plan.flatMap(({ topic, warnings, refusals }) => [
    ...refusals.flatMap((message) => wrap(`refused: ${topic}: ${message}.`, 2)),
    ...warnings.flatMap((message) => wrap(`note: ${topic}: ${message}.`, 2)),
  ]);
  const table = formatTable([['TOPIC', 'FOR', 'PARTITIONS', 'PLAN'], ...rows]);
  return `${[table, ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n')}\n\n`;
}

function describe(change: TopicChange): string[] {
  switch (change.action) {
    case 'create': {
      const replicas = change.replication_factor === 0 ? "the broker's default" : change.replication_factor;
      const settings = Object.entries(change.settings).map(([name, value]) => `  ${name} = ${value}`);
      return ['create', `  replicas: ${replicas}`, ...settings];
    }
    case 'grow':
      return [`grow from ${change.from} to ${change.to} partitions`];
    case 'alter':
      return change.settings.flatMap(({ name, from, to, means }) => [
        `set ${name}: ${from ?? 'unknown'} ▸ ${to}`,
        `  ${means}.`,
      ]);
  }
}

function pastTense(change: TopicChange): string {
  switch (change.action) {
    case 'create':
      return `created, partitions: ${change.partitions}`;
    case 'grow':
      return `grown from ${change.from} to ${change.to} partitions`;
    case 'alter':
      return change.settings
        .map(({ name, from, to }) => `${name} set to ${to}, was ${from ?? 'unknown'}`)
        .join('; ');
  }
}
