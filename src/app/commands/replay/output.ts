import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import { TopicAdmin } from '../../../io/kafka/admin/topic-admin.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';
import type { ReplayTargetSpec } from '../../../services/replay/spec.ts';
import { settingsAtCreation, wantedTopics } from '../../../services/topics/wanted.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import type { Config } from '../../config/load.ts';
import { usageError } from '../command.ts';
import type { AskedTarget } from './arguments.ts';
import { noSuchRoute } from './target.ts';
import { formatSeconds } from './text.ts';

const LEADERS_MS = 30_000;

type RouteSpec = Extract<ReplayTargetSpec, { kind: 'route' }>;

/**
 * Output topic of a replay through a route.
 *
 * @throws ConfigError if it must not be written to
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
    ...ingestTopics(config.worker).map((each) => [each.topic, 'an ingest topic'] as const),
    [config.worker.dead_topic, 'the dead-letter topic'] as const,
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
 * Ensures that the output topic exists and has a partition for every task.
 *
 * @param create create a missing topic; false: only say that it would be created
 * @throws FatalKafkaError if it cannot take the records; the message says what to do
 */
export async function prepareOutput(
  config: Config,
  admin: KafkaAdmin,
  { route: name, topic, live }: RouteSpec,
  create: boolean,
  say: (message: string) => void,
): Promise<void> {
  const route = config.routes.find((each) => each.name === name)!;
  const topics = new TopicAdmin(admin);
  const state = (await topics.read([topic])).topics.get(topic);
  if (state !== undefined) {
    if (state.partitions < route.task.count)
      throw new FatalKafkaError(
        `topic ${topic} has ${state.partitions} partitions, and route ${name} has ${route.task.count} tasks; expected a ` +
          'topic with a partition for each task, or one that is not there yet: it is created',
      );
    return;
  }
  if (live)
    throw new FatalKafkaError(
      `topic ${topic} does not exist. Run "penstock topics apply" with ${config.file}.`,
    );
  const wanted = wantedTopics({
    topics: config.topics,
    ingest: { topics: [], deadTopic: config.worker.dead_topic },
    routes: config.routes,
    isGiven: (path) => config.positions.isGiven(path),
  }).find((each) => each.topic === route.topic)!;
  const { partitions } = wanted;
  say(
    `topic ${topic} ${create ? 'is' : 'would be'} created with ${partitions} partitions and the settings of ` +
      `${route.topic}; it keeps records for ${formatSeconds(config.topics.tasks.retention / 1000)} from their writing`,
  );
  if (!create) return;
  await topics.create({
    topic,
    partitions,
    replicationFactor: wanted.replicationFactor,
    settings: settingsAtCreation(wanted.settings),
  });
  await topics.waitUntilUsable(new Map([[topic, partitions]]), LEADERS_MS);
}
