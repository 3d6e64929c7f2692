import { isUnencrypted, unencrypted } from '../../../core/options/insecure.ts';
import { RECORD_FRAME_BYTES } from '../../../core/record/dead-letter.ts';
import { TopicAdmin } from '../../../io/kafka/admin/topic-admin.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';
import { StepSize } from '../../../io/kafka/produce/step-size.ts';
import type { Journal } from '../../../services/replay/journal.ts';
import type { ReplayRun } from '../../../services/replay/replay.ts';
import type { ReplaySpec, ReplayTargetSpec } from '../../../services/replay/stored-replay.ts';
import { FileTarget } from '../../../services/replay/target/file-target.ts';
import { LineFile, type LineOutput, LineStream } from '../../../services/replay/target/line-file.ts';
import {
  type BodySource,
  rawBodies,
  routedBodies,
} from '../../../services/replay/target/remote-write-bodies.ts';
import { RouteTarget } from '../../../services/replay/target/route-target.ts';
import {
  StorageNotes,
  StorageTarget,
  type StorageTargetOptions,
} from '../../../services/replay/target/storage-target.ts';
import { Tally } from '../../../services/replay/target/target.ts';
import { settingsAtCreation } from '../../../services/topics/wanted.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import type { Config } from '../../config/load.ts';
import { usageError } from '../command.ts';
import { configuredTopics } from '../configured-topics.ts';
import type { KafkaSession } from '../kafka-session.ts';
import { version } from '../version.ts';
import type { AskedReplay } from './arguments.ts';
import { type ReplaySource, requireRoute } from './source.ts';
import { formatSeconds } from './text.ts';

const LEADERS_MS = 30_000;
/** Largest request with relabeled series, in bytes. */
const ROUTED_BODY_BYTES = 1024 * 1024;

export interface TargetOptions extends Pick<StorageTargetOptions, 'concurrency' | 'signal' | 'stop'> {
  /** Part of it may be written already. */
  readonly resumed: boolean;
  readonly say: (message: string) => void;
}

/**
 * Prepares the target of a replay.
 *
 * @throws ConfigError, FatalKafkaError if the target cannot be used, with what to do; nothing has been written then
 */
export async function targetFor(
  { config, admin, nowMs }: KafkaSession,
  { target }: ReplaySpec,
  source: ReplaySource,
  options: TargetOptions,
): Promise<ReplayRun['openTarget']> {
  const { selection } = source;
  if (target.kind === 'route') {
    const size = new StepSize(config.worker.transaction_timeout);
    const maxBytes = (await admin.maxMessageBytes([target.topic])).get(target.topic)!;
    const pipeline = source.pipeline(target.route, target.topic, maxBytes - RECORD_FRAME_BYTES);
    return async (journal) => new RouteTarget(pipeline, selection, journal, { size, nowMs });
  }
  const bodies = bodiesOf(config, source, target.route);
  if (target.kind === 'storage') {
    const storage = storageOptions(config, target.url, options);
    return async (journal) => new StorageTarget(storage, bodies, journal);
  }
  if (!options.resumed && target.file !== '-') await LineFile.requireNew(target.file);
  return async (journal) => new FileTarget(await openLines(target.file, journal), bodies, journal);
}

/** Request bodies with series as received, or as relabeled by a route. */
function bodiesOf({ worker }: Config, source: ReplaySource, route: string | undefined): BodySource {
  if (route !== undefined)
    return routedBodies(source.pipeline(route, '', ROUTED_BODY_BYTES), source.selection);
  return rawBodies(source.selection, worker.tenant_headers, worker.limits.tenant_bytes);
}

function storageOptions(
  { replay }: Config,
  url: string,
  { say, ...options }: TargetOptions,
): StorageTargetOptions {
  const { username, password, bearer_token, allow_insecure, request_timeout, backoff_min, backoff_max, tls } =
    replay.storage;
  if ((bearer_token ?? password) !== undefined && isUnencrypted(url) && !allow_insecure) {
    const what = bearer_token === undefined ? 'the password' : 'the token';
    throw usageError('replay', `--to-storage: ${unencrypted(what, 'replay.storage.allow_insecure')}`);
  }
  return {
    ...options,
    url,
    timeoutMs: request_timeout,
    backoffMinMs: backoff_min,
    backoffMaxMs: backoff_max,
    userAgent: `penstock/${version()}`,
    login: { bearer_token, ...(username === undefined ? {} : { basic_auth: { username, password } }) },
    ...(url.startsWith('https:') ? { tls } : {}),
    notes: new StorageNotes(say),
  };
}

/** A file is continued at the length stored in the journal; standard output is simply continued. */
async function openLines(file: string, journal: Journal): Promise<LineOutput> {
  if (file === '-') return new LineStream(process.stdout);
  const lines = await LineFile.open(file, journal.replay.extra['bytes']);
  // From now on the file belongs to this replay, whatever it contains.
  await journal.store({ positions: new Map(), counts: new Tally(), extra: { bytes: lines.bytes } });
  return lines;
}

/**
 * Where a replay of the topic `source` goes.
 *
 * @throws ConfigError if the configuration has no such route, or its topic must not be written to
 */
export function targetSpec(config: Config, source: string, asked: AskedReplay['target']): ReplayTargetSpec {
  if (asked.kind !== 'route') {
    if (asked.route !== undefined) requireRoute(config, asked.route);
    return asked;
  }
  const { route: name, outputTopic, intoLive } = asked;
  const route = requireRoute(config, name);
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
 * Ensures that the output topic of a replay through a route exists and has a partition for every task.
 *
 * @param create create a missing topic; false: only say that it would be created
 * @throws FatalKafkaError if it cannot take the records; the message says what to do
 */
export async function prepareOutput(
  { config, admin, line }: KafkaSession,
  target: ReplayTargetSpec,
  create: boolean,
): Promise<void> {
  if (target.kind !== 'route') return;
  const { route: name, topic, live } = target;
  const route = requireRoute(config, name);
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
  const wanted = configuredTopics(config).find((each) => each.topic === route.topic)!;
  const { partitions } = wanted;
  line.say(
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
