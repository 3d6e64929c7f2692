import { compileRoutes } from '../../core/route/route.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { type Leftover, readLeftovers } from '../../services/drain/leftovers.ts';
import { ranges } from '../../services/status/texts.ts';
import { loadConfig } from '../config/load.ts';
import { DONE, FAILED, parseCommand, printJson, usageError } from './command.ts';
import { withKafkaAdmin } from './kafka-session.ts';
import { wrap } from './text/wrap.ts';

const HELP = `
penstock forget NODE [-c FILE] [--json]

Deletes the consumer groups that a node has left behind which is not in the configuration any more. penstock status
names such nodes.

Nothing is deleted while a drain of the node runs, or while a group is needed: where no other node has taken a
partition over, its next owner begins where this group stands (docs/guides/nodes.md).

Exit code 0: nothing is left of the node. 1: something is still needed, or Kafka failed; then nothing was deleted.
`;

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(argv, { name: 'forget', help: HELP, positionals: { min: 1, max: 1 } });
  if (command === undefined) return DONE;
  const [node = ''] = command.positionals;
  const config = loadConfig({ file: command.configFile, env: process.env });
  const nodes = config.nodes.map(({ name }) => name);
  if (nodes.includes(node)) {
    throw usageError('forget', `${node} is in nodes; expected one that was taken out of the configuration`);
  }
  const topics = [...new Set(compileRoutes(config).map(({ topic }) => topic))];
  return await withKafkaAdmin('forget', config.kafka, async (admin) => {
    const left = (await readLeftovers(admin, topics, nodes)).filter((each) => each.node === node);
    const reasons = left.flatMap(reasonsToKeep);
    if (reasons.length === 0) await forget(admin, left);
    const deleted = reasons.length === 0 ? left.map(({ group }) => group) : [];
    if (command.json) printJson({ node, deleted, kept: reasons });
    else process.stdout.write(formatResult(node, deleted, reasons));
    return reasons.length === 0 ? DONE : FAILED;
  });
}

/** Reasons not to delete the group yet; empty: it can be deleted. */
export function reasonsToKeep({ node, topic, group, live, needed_for }: Leftover): string[] {
  if (live) return [`a drain of ${node} still reads ${topic} (group ${group}): stop it first`];
  if (needed_for.length === 0) return [];
  return [
    `partition ${ranges(needed_for)} of ${topic} has gone to no other node yet, and begins where ${group} stands: ` +
      'start the drains of its new owners first. A partition that belongs to no task is free when its retention is over',
  ];
}

async function forget(admin: KafkaAdmin, left: readonly Leftover[]): Promise<void> {
  if (left.length === 0) return;
  const client = await admin.client();
  await client.deleteGroups(left.map(({ group }) => group));
}

function formatResult(node: string, deleted: readonly string[], reasons: readonly string[]): string {
  if (reasons.length > 0) return `${reasons.flatMap((reason) => wrap(`kept: ${reason}.`, 2)).join('\n')}\n`;
  if (deleted.length === 0) return `Nothing is left of ${node}.\n`;
  return `${deleted.map((group) => `${group}: deleted`).join('\n')}\n`;
}
