import type { Config } from '../config/load.ts';
import { ingestTopics } from '../ingest/options.ts';
import type { KafkaAdmin } from '../kafka/admin.ts';
import { KafkaSetupError } from '../kafka/errors.ts';
import { TopicAdmin, type TopicState } from '../kafka/topic-admin.ts';
import type { ReplayTargetSpec } from '../replay/spec.ts';
import { settingsAtCreation, wantedTopics } from '../topics/wanted.ts';
import { usageError } from './command.ts';
import type { AskedTarget } from './replay-arguments.ts';
import { noSuchRoute } from './replay-target.ts';
import { formatSeconds, formatTime } from './replay-text.ts';

const LEADERS_MS = 30_000;

type RouteSpec = Extract<ReplayTargetSpec, { kind: 'route' }>;

/**
 * The topic that a replay through a route writes to.
 *
 * @throws ConfigError where it must not be written to
 */
export function routeTargetSpec(
  config: Config,
  source: string,
  { route: name, outputTopic, intoLive }: Extract<AskedTarget, { kind: 'route' }>,
): RouteSpec {
  const route = config.routes.find((each) => each.name === name);
  if (route === undefined) throw noSuchRoute(config, name);
  const topic = outputTopic ?? route.topic;
  const live = topic === route.topic;
  if (topic === source)
    throw usageError(
      'replay',
      `${topic} is read and would be written to: it would never end; expected --output-topic`,
    );
  if (live && config.nodes.length > 0 && !intoLive) {
    throw usageError(
      'replay',
      `${topic} is what the vmagents of ${config.file} aggregate. They aggregate by the time at which samples arrive, so ` +
        'old samples would be counted into the windows of today, and today would be wrong. Expected --output-topic TOPIC ' +
        'and a separate set of vmagents that reads it, or --into-live if that is what you want',
    );
  }
  if (!live) refuseOthersTopic(config, topic);
  return { kind: 'route', route: name, topic, live };
}

function refuseOthersTopic(config: Config, topic: string): void {
  const others = new Map([
    ...ingestTopics(config.ingest).map((each) => [each.topic, 'an ingest topic'] as const),
    [config.ingest.dead_topic, 'the dead-letter topic'] as const,
    ...config.routes.map((each) => [each.topic, `the task topic of route ${each.name}`] as const),
  ]);
  const whose = others.get(topic);
  if (whose !== undefined)
    throw usageError(
      'replay',
      `--output-topic ${topic} is ${whose} of ${config.file}; expected a topic of its own`,
    );
}

/**
 * Sees that the topic is there, has a partition for every task, and keeps records as old as these.
 *
 * @param oldestMs time of the oldest record that will be written, in ms since the epoch
 * @param create creates it where it is not there; else that is only told
 * @returns its maximum record size in bytes; undefined: it is not there
 * @throws KafkaSetupError where it cannot take the records, with what to do
 */
export async function prepareOutput(
  config: Config,
  admin: KafkaAdmin,
  { route: name, topic, live }: RouteSpec,
  oldestMs: number,
  create: boolean,
  say: (message: string) => void,
): Promise<void> {
  const route = config.routes.find((each) => each.name === name)!;
  const topics = new TopicAdmin(admin);
  const state = (await topics.read([topic])).topics.get(topic);
  const ageMs = Math.max(0, Date.now() - oldestMs);
  if (state !== undefined) {
    if (state.partitions < route.task.count)
      throw new KafkaSetupError(
        `topic ${topic} has ${state.partitions} partitions, and route ${name} has ${route.task.count} tasks; expected a ` +
          'topic with a partition for each task, or one that is not there yet: it is created',
      );
    refuseShortRetention(topic, state, ageMs, oldestMs, live);
    return;
  }
  if (live)
    throw new KafkaSetupError(
      `topic ${topic} does not exist. Run "penstock topics apply" with ${config.file}.`,
    );
  const wanted = wantedTopics({
    topics: config.topics,
    ingest: { topics: [], deadTopic: config.ingest.dead_topic },
    routes: config.routes,
    isGiven: (path) => config.positions.isGiven(path),
  }).find((each) => each.topic === route.topic)!;
  const retentionMs = Math.ceil(config.topics.tasks.retention + ageMs);
  const { partitions } = wanted;
  say(
    `topic ${topic} ${create ? 'is' : 'would be'} created with ${partitions} partitions and the settings of ` +
      `${route.topic}, but a retention of ${formatSeconds(retentionMs / 1000)}: the records keep their times`,
  );
  if (!create) return;
  await topics.create({
    topic,
    partitions,
    replicationFactor: wanted.replicationFactor,
    settings: { ...settingsAtCreation(wanted.settings), 'retention.ms': String(retentionMs) },
  });
  await topics.waitUntilUsable(new Map([[topic, partitions]]), LEADERS_MS);
}

/** Records keep the time of their source: a topic that keeps them for less long loses them as they come. */
function refuseShortRetention(
  topic: string,
  { settings }: TopicState,
  ageMs: number,
  oldestMs: number,
  live: boolean,
): void {
  const retentionMs = Number(settings.get('retention.ms') ?? -1);
  const deletes = (settings.get('cleanup.policy') ?? 'delete').includes('delete');
  if (deletes && retentionMs >= 0 && retentionMs < ageMs) {
    const advice = live
      ? 'Raise topics.tasks.retention and run "penstock topics apply"'
      : `Raise its retention.ms to more than ${Math.ceil(ageMs)}, or name a topic that is not there yet`;
    throw new KafkaSetupError(
      `topic ${topic} keeps records for ${formatSeconds(retentionMs / 1000)}, and the range begins at ` +
        `${formatTime(oldestMs)}: its records keep their times, so Kafka would delete them at once. ${advice}.`,
    );
  }
  const oldestTaken = Number(settings.get('message.timestamp.before.max.ms') ?? Number.POSITIVE_INFINITY);
  if (settings.get('message.timestamp.type') !== 'LogAppendTime' && oldestTaken < ageMs)
    throw new KafkaSetupError(
      `topic ${topic} refuses records that are older than ${formatSeconds(oldestTaken / 1000)}, and the range begins at ` +
        `${formatTime(oldestMs)}. Raise its message.timestamp.before.max.ms, or name a topic that is not there yet.`,
    );
}
