import { randomBytes } from 'node:crypto';
import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import { firstRecordTimes } from '../../../io/kafka/admin/first-records.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';
import { madeAgain } from '../../../io/kafka/range/range-fetcher.ts';
import type { OffsetRange } from '../../../io/kafka/range/range-reader.ts';
import { readReplay } from '../../../services/replay/journal.ts';
import {
  type Cut,
  planRanges,
  planRest,
  type RangePlan,
  type RangeRequest,
} from '../../../services/replay/plan/range-plan.ts';
import type { ReplaySpec, ReplayTargetSpec } from '../../../services/replay/spec.ts';
import { isDone, type ReplayRange } from '../../../services/replay/stored-replay.ts';
import { NO_COUNTS } from '../../../services/replay/target/tally.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import type { Config } from '../../config/load.ts';
import { DONE, FAILED, printJson, usageError } from '../command.ts';
import type { AskedReplay, RunOptions } from './arguments.ts';
import { type ReplayCommand, StatusLine } from './command.ts';
import { forecastReplay } from './forecast.ts';
import { prepareOutput, routeTargetSpec } from './output.ts';
import { performReplay } from './perform.ts';
import { noSuchRoute } from './target.ts';
import { formatCuts, formatNumber, formatTime } from './text.ts';

/** Starts a replay: fixes the range, reports what retention has taken of it, and runs. @returns the exit code */
export async function startReplay(
  command: ReplayCommand,
  asked: AskedReplay,
  how: RunOptions,
): Promise<number> {
  const { config, connection, admin, json } = command;
  const statusLine = new StatusLine();
  const topic = asked.topic ?? onlyIngestTopic(config);
  const target = targetSpec(config, topic, asked);
  await requireTopic(admin, topic);
  const id = asked.id ?? madeUpId(Date.now());
  if (asked.id !== undefined && (await readReplay(admin, id)) !== undefined)
    throw new FatalKafkaError(
      `there is a replay ${id} already; penstock replay --resume ${id} goes on with it, another --id begins a new one`,
    );

  // Read before the range, so that a topic recreated between the two is detected.
  const topicId = await admin.topicId(topic);
  const { ranges, cuts, marginCuts } = await plan(admin, topic, asked.range);
  const times =
    cuts.length > 0 && ranges.size > 0 ? await firstRecordTimes(connection, admin, topic, ranges) : NO_TIMES;
  if (marginCuts.length > 0) {
    const list = marginCuts.map(({ partition }) => partition).join(', ');
    statusLine.say(`note: of the margin before the range retention has taken a part (partition ${list})`);
  }
  if (!mayBeCut(topic, cuts, times, how, statusLine)) return FAILED;
  if (ranges.size === 0) return nothingThere(topic, asked.range, json);

  const spec = { topic, ...(topicId === undefined ? {} : { topicId }), target, ...selectionSpec(asked) };
  const partitions = fromTheStart(ranges);
  if (target.kind === 'route') {
    const say = (message: string) => statusLine.say(message);
    await prepareOutput(config, admin, target, !asked.dryRun, say);
  }
  if (asked.dryRun) return await forecastReplay(command, spec, partitions, { how, statusLine });
  const replay = { id, spec, startedMs: Date.now(), counts: NO_COUNTS, partitions, extra: {} };
  return await performReplay(command, replay, { resumed: false, how, statusLine });
}

/** Resumes a replay that was stopped or killed. @returns the exit code */
export async function resumeReplay(command: ReplayCommand, id: string, how: RunOptions): Promise<number> {
  const { config, admin, json } = command;
  const statusLine = new StatusLine();
  const replay = await readReplay(admin, id);
  if (replay === undefined)
    throw new FatalKafkaError(`there is no replay ${id}; penstock replay list shows those that there are`);
  const { spec, partitions } = replay;
  if (isDone(replay)) {
    if (json) printJson({ id, end: 'done', records: replay.counts.records, samples: replay.counts.samples });
    else
      process.stdout.write(
        `replay ${id} is done since ${formatTime(replay.updatedMs)}: ${formatNumber(replay.counts.samples)} samples\n`,
      );
    return DONE;
  }
  await requireTopic(admin, spec.topic);
  const topicId = await admin.topicId(spec.topic);
  if (spec.topicId !== undefined && topicId !== undefined && spec.topicId !== topicId)
    throw madeAgain(spec.topic);
  const cuts = planRest(partitions, await admin.offsetBounds(spec.topic));
  if (!mayBeCut(spec.topic, cuts, NO_TIMES, how, statusLine)) return FAILED;
  if (spec.target.kind === 'route') {
    const say = (message: string) => statusLine.say(message);
    await prepareOutput(config, admin, spec.target, true, say);
  }
  return await performReplay(command, replay, { resumed: true, how, statusLine });
}

const NO_TIMES: ReadonlyMap<number, number> = new Map();

function onlyIngestTopic(config: Config): string {
  const [first, ...others] = ingestTopics(config.worker);
  if (others.length === 0) return first.topic;
  throw usageError(
    'replay',
    `which topic? ${config.file} has several ingest topics; expected --topic ${first.topic}, or another one`,
  );
}

function targetSpec(config: Config, topic: string, { target }: AskedReplay): ReplayTargetSpec {
  if (target.kind === 'route') return routeTargetSpec(config, topic, target);
  const { route, ...rest } = target;
  if (route === undefined) return rest;
  if (!config.routes.some(({ name }) => name === route)) throw noSuchRoute(config, route);
  return { ...rest, route };
}

function selectionSpec({ match, sample, bySampleTime, range }: AskedReplay): Partial<ReplaySpec> {
  return {
    ...(match.length > 0 ? { match } : {}),
    ...(sample === undefined || sample === 1 ? {} : { sample }),
    ...(bySampleTime && range.kind === 'times' ? { fromMs: range.fromMs, toMs: range.toMs } : {}),
  };
}

async function requireTopic(admin: KafkaAdmin, topic: string): Promise<void> {
  if ((await admin.partitionCounts([topic])).has(topic)) return;
  throw new FatalKafkaError(
    `topic ${topic} does not exist; expected a topic of the cluster that kafka.brokers names`,
  );
}

async function plan(admin: KafkaAdmin, topic: string, range: RangeRequest): Promise<RangePlan> {
  try {
    return await planRanges(admin, topic, range);
  } catch (error) {
    if (error instanceof RangeError)
      throw new FatalKafkaError(`topic ${topic}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Reports what retention has taken. @returns whether the replay may run without it */
function mayBeCut(
  topic: string,
  cuts: readonly Cut[],
  times: ReadonlyMap<number, number>,
  { allowGaps }: RunOptions,
  statusLine: StatusLine,
): boolean {
  if (cuts.length === 0) return true;
  statusLine.say(`topic ${topic}: of this range retention has taken, or may have taken, a part:`);
  for (const line of formatCuts(cuts, times)) statusLine.say(line);
  if (allowGaps) statusLine.say('--allow-gaps is given: what is left is replayed');
  else
    statusLine.say(
      'Nothing was replayed. Give --allow-gaps to replay what is left, or a range that is there.',
    );
  return allowGaps;
}

function nothingThere(topic: string, range: RangeRequest, json: boolean): number {
  const when =
    range.kind === 'times'
      ? ` from ${formatTime(range.fromMs)} to ${formatTime(range.toMs)}`
      : ' at these offsets';
  if (json) printJson({ end: 'done', topic, records: 0, samples: 0 });
  else process.stdout.write(`nothing to replay: ${topic} has no records${when}\n`);
  return DONE;
}

function fromTheStart(ranges: ReadonlyMap<number, OffsetRange>): Map<number, ReplayRange> {
  return new Map([...ranges].map(([partition, range]) => [partition, { ...range, position: range.from }]));
}

/** `20261123-101502-3fa2`: sorts by time. */
function madeUpId(nowMs: number): string {
  const digits = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${digits}-${randomBytes(2).toString('hex')}`;
}
