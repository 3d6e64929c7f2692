import { expectedName } from '../../../core/model/nearest.ts';
import { compileRoutes } from '../../../core/route/route.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';
import { batchToSkip, isPassed, requestSkip, type SkipTarget } from '../../../services/dead/skip.ts';
import { drainGroupId, NodeAssignment } from '../../../services/drain/assignment.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import { DONE, printJson } from '../command.ts';
import type { DeadSession } from './session.ts';

/** The partition's reader looks for the request at least every 5 s, and a rebalance may be under way. */
const WAIT_MS = 30_000;

export async function skipBatch(
  session: DeadSession,
  at: { readonly topic: string; readonly partition: number; readonly offset: bigint },
): Promise<number> {
  const { config, connection, admin, json } = session;
  const target: SkipTarget = { ...at, groupId: groupOf(session, at.topic, at.partition) };
  await admin.requireTopics(new Map([[at.topic, 1]]));
  const batch = await batchToSkip(connection, admin, target);
  await requestSkip(connection, target, batch, config.worker.transaction_timeout);
  const passed = await isPassed(admin, target, batch, WAIT_MS);
  const last = batch.nextOffset - 1n;
  if (json) {
    printJson({
      topic: at.topic,
      partition: at.partition,
      group: target.groupId,
      first: String(batch.offset),
      last: String(last),
      bytes: batch.length,
      message: batch.message,
      passed,
    });
    return DONE;
  }
  const what = `${at.topic}/${at.partition}: the record batch of the offsets ${batch.offset} to ${last} (${batch.length} bytes)`;
  process.stdout.write(
    passed
      ? `${what} is passed over, and kept in ${session.topic} (penstock dead list --reason corrupt_batch)\n`
      : `${what} will be passed over by the member of group ${target.groupId} that comes to it; none has in ${WAIT_MS / 1000} s\n`,
  );
  return DONE;
}

/** The group that reads the partition: the workers' for an ingest topic, its node's drains' for a task topic. */
function groupOf({ config, nowMs }: DeadSession, topic: string, partition: number): string {
  const ingest = ingestTopics(config.worker).map((each) => each.topic);
  if (ingest.includes(topic)) return config.worker.group;
  const routes = compileRoutes(config);
  const names = config.nodes.map(({ name }) => name);
  const isTask = routes.some((route) => route.topic === topic);
  const owner = isTask
    ? names.find((name) =>
        new NodeAssignment(routes, names, name, config.ownership).owns(topic, partition, nowMs()),
      )
    : undefined;
  if (owner !== undefined) return drainGroupId(topic, owner);
  if (isTask) throw new FatalKafkaError(`${topic}/${partition} is read by no node of the configuration`);
  const known = [...ingest, ...new Set(routes.map((route) => route.topic))];
  throw new FatalKafkaError(
    `no worker or drain of this configuration reads ${topic}; ${expectedName(topic, known)}`,
  );
}
