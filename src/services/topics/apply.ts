import type { TopicAdmin } from '../../io/kafka/admin/topic-admin.ts';
import { FatalKafkaError } from '../../io/kafka/errors.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { sleep } from '../../io/time/sleep.ts';
import type { TopicContents } from './consequence.ts';
import { planTopics, type TopicChange, type TopicPlan } from './plan.ts';
import type { WantedTopic } from './wanted.ts';

/** Most time for the cluster to show a change, in ms: this, plus `SETTLE_PARTITION_MS` for each partition. */
const SETTLE_MS = 30_000;
const SETTLE_PARTITION_MS = 20;
const AGAIN_MS = 200;

export interface ApplyOptions {
  /** Permits alterations that delete or refuse records, if they are configured. */
  readonly allowShrink: boolean;
}

/** The plan for the cluster as it is now. */
export async function readPlan(
  wanted: readonly WantedTopic[],
  admin: TopicAdmin,
  options: ApplyOptions,
): Promise<TopicPlan[]> {
  const seen = await admin.read(wanted.map(({ topic }) => topic));
  const contents = new Map<string, TopicContents>();
  for (const { topic, changes } of planTopics(wanted, seen)) {
    if (changes.some(takesRecords)) contents.set(topic, { oldestMs: await admin.oldestRecord(topic) });
  }
  return planTopics(wanted, seen, { ...options, contents });
}

function takesRecords(change: TopicChange): boolean {
  return change.action === 'alter' && change.settings.some(({ takes_records }) => takes_records);
}

/**
 * Brings the topics to what the configuration needs, and waits until every partition has a leader.
 *
 * Plans and acts until nothing is left to do, so it may run twice, even at the same time: the second run sees what the
 * first has done. A plan with a refusal is not begun.
 *
 * @param onChange told once of each change requested of the cluster
 * @returns the last plan: without changes, or with refusals
 * @throws FatalKafkaError when the cluster refuses a change, or does not show it in time
 */
export async function applyTopics(
  wanted: readonly WantedTopic[],
  admin: TopicAdmin,
  options: ApplyOptions,
  onChange: (change: TopicChange) => void,
): Promise<TopicPlan[]> {
  const partitions = wanted.reduce((sum, { partitions }) => sum + partitions, 0);
  const settleMs = SETTLE_MS + partitions * SETTLE_PARTITION_MS;
  const deadline = monotonicMs() + settleMs;
  const told = new Set<string>();
  for (;;) {
    const plan = await readPlan(wanted, admin, options);
    if (plan.some(({ refusals }) => refusals.length > 0)) return plan;
    const changes = plan.flatMap((topic) => topic.changes);
    for (const change of changes) {
      const key = identity(change);
      if (told.has(key) && monotonicMs() > deadline) throw notShown(change, settleMs);
      await perform(change, admin);
      if (!told.has(key)) onChange(change);
      told.add(key);
    }
    await admin.waitUntilUsable(new Map(plan.map(({ topic, target }) => [topic, target])), settleMs);
    if (changes.length === 0) return plan;
    await sleep(AGAIN_MS);
  }
}

/** Key of a change, without its `means`: that depends on the records in the topic at the moment. */
function identity(change: TopicChange): string {
  if (change.action !== 'alter') return JSON.stringify(change);
  return JSON.stringify([change.topic, change.settings.map(({ name, to }) => [name, to])]);
}

async function perform(change: TopicChange, admin: TopicAdmin): Promise<void> {
  const { topic } = change;
  switch (change.action) {
    case 'create':
      await admin.create({ ...change, replicationFactor: change.replication_factor });
      return;
    case 'grow':
      await admin.grow(topic, change);
      return;
    case 'alter':
      await admin.alter(topic, Object.fromEntries(change.settings.map(({ name, to }) => [name, to])));
      return;
  }
}

function notShown({ action, topic }: TopicChange, settleMs: number): FatalKafkaError {
  return new FatalKafkaError(
    `topic ${topic}: the cluster took the request (${action}) and does not show its effect after ${Math.round(settleMs / 1000)} s; ` +
      'look at "penstock topics plan", and whether another process changes the topic back',
  );
}
