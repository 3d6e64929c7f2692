import type { Logger } from 'pino';
import { errorMessage } from '../../../core/model/errors.ts';
import { RateLimit } from '../../telemetry/rate-limit.ts';
import { Backoff, sleep } from '../../time/sleep.ts';
import {
  FatalKafkaError,
  isConnectionTrouble,
  isDefect,
  isMembershipError,
  isUnauthorized,
  kafkaErrorType,
  OffsetOutOfRangeError,
  PartitionLostError,
} from '../errors.ts';
import { UnsettledTransactionError } from '../patch/coordinators.ts';
import { TopicTroubleError, unauthorizedTopic } from '../topic/topic-trouble.ts';
import type { TopicTroubles } from '../topic/topic-troubles.ts';
import type { AssignedPartition } from './assigned-partition.ts';
import type { GroupReader } from './group-reader.ts';
import type { CommittedStart, GapReason } from './start-offset.ts';

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** Interval between warnings that the last transaction of a partition does not end, in ms. It is waited for all along. */
const UNSETTLED_LOG_MS = 60_000;

/** Records that are missing where reading begins: offsets `from` (included) to `to` (not included). */
export interface OffsetGap {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly reason: GapReason;
}

export interface SessionOptions<Resource> {
  readonly reader: Pick<GroupReader, 'confirmOwnership' | 'startOffset'>;
  readonly log: Logger;
  /** Opens the resource of the work, after ownership is proven and before the committed offset is read. */
  readonly open: (partition: AssignedPartition) => Promise<Resource>;
  readonly close: (resource: Resource) => Promise<void>;
  /**
   * Takes records and works on them until the partition drains. Any error starts a new session. Calls `progressed`
   * after each successful step, which resets the backoff.
   */
  readonly work: (
    partition: AssignedPartition,
    resource: Resource,
    progressed: () => void,
    start: CommittedStart,
  ) => Promise<void>;
  readonly onGap: (gap: OffsetGap) => 'continue' | 'stop';
  readonly onFailure: (error: unknown) => void;
  /** Receives topic faults. Absent: each is logged. */
  readonly troubles?: TopicTroubles;
  /** A clock that never steps back, in ms. */
  readonly now?: () => number;
}

/**
 * Works on an assigned partition, session by session, until it is lost or the process stops.
 *
 * A session: prove ownership ▸ open (fence and settle a predecessor) ▸ read the committed offset ▸ read and work. After
 * any error a new session begins the same way: only that tells what of the last step was committed. Transient failures
 * of Kafka are waited out here, with backoff.
 *
 * @throws FatalKafkaError, other errors that need the operator, and bugs: the process then ends
 */
export async function runSessions<Resource>(
  partition: AssignedPartition,
  options: SessionOptions<Resource>,
): Promise<void> {
  const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
  const unsettled = new RateLimit(1, UNSETTLED_LOG_MS, options.now);
  let failures = 0;
  let told: OffsetGap | undefined;
  const progressed = () => {
    backoff.reset();
    failures = 0;
    told = undefined;
    if (partition.trouble?.topic === partition.topic) options.troubles?.over(partition.topic);
    partition.trouble = undefined;
    partition.failure = undefined;
  };
  const tellGap = (gap: OffsetGap) => {
    // Each session finds the gap again until something behind it is committed, and it may have grown meanwhile.
    const news = untold(gap, told);
    if (news !== undefined) reportGap(news, options);
    told = gap;
  };
  while (partition.active) {
    try {
      await runSession(partition, options, progressed, tellGap);
    } catch (error) {
      if (error instanceof PartitionLostError || partition.state === 'lost') return;
      const trouble = troubleOf(error, partition);
      if (trouble === undefined && isForTheOperator(error)) throw error;
      partition.trouble = trouble?.trouble;
      if (!isPassing(error)) partition.failure = errorMessage(trouble ?? error);
      failures += 1;
      // No pause after a single rebalance: the next session waits for the group to settle anyway.
      const retryInMs = failures === 1 && isMembershipError(error) ? 0 : Math.round(backoff.next());
      const isTold = error instanceof UnsettledTransactionError && unsettled.take() > 0;
      report(trouble ?? error, retryInMs, partition, options, isTold);
      await sleep(retryInMs, partition.ending);
    }
  }
}

/** A topic fault is waited out even if it needs the operator: other partitions may not need that topic. */
function troubleOf(error: unknown, { topic }: AssignedPartition): TopicTroubleError | undefined {
  if (error instanceof TopicTroubleError) return error;
  if (kafkaErrorType(error) !== 'TOPIC_AUTHORIZATION_FAILED') return undefined;
  return new TopicTroubleError(unauthorizedTopic(topic, 'read'), { cause: error });
}

/** True for a rebalance or an offset out of range: the next session recovers without help. */
function isPassing(error: unknown): boolean {
  return isMembershipError(error) || error instanceof OffsetOutOfRangeError;
}

function isForTheOperator(error: unknown): boolean {
  return error instanceof FatalKafkaError || isUnauthorized(error) || isDefect(error);
}

/** Reports the error that ended a session, with its stack unless it is known to come from Kafka. */
function report<Resource>(
  error: unknown,
  retryInMs: number,
  { topic, partition }: AssignedPartition,
  { log, onFailure, troubles }: SessionOptions<Resource>,
  isTold: boolean,
): void {
  if (error instanceof TopicTroubleError && troubles !== undefined) {
    onFailure(error);
    troubles.met(error.trouble, 'What needs it waits, and nothing is lost; everything else goes on');
    return;
  }
  const fields = { topic, partition, error: errorMessage(error), retryInMs };
  if (isMembershipError(error)) {
    log.debug(fields, 'a step met a rebalance and is done again from the committed offset');
  } else if (error instanceof OffsetOutOfRangeError) {
    log.debug(fields, 'reading begins again where the records are');
  } else {
    onFailure(error);
    const isKnown = kafkaErrorType(error) !== '' || isConnectionTrouble(error);
    const stack = isKnown ? {} : { err: error };
    log[isTold ? 'debug' : 'warn'](
      { ...fields, ...stack },
      'a step failed and is tried again from the committed offset',
    );
  }
}

async function runSession<Resource>(
  partition: AssignedPartition,
  options: SessionOptions<Resource>,
  progressed: () => void,
  tellGap: (gap: OffsetGap) => void,
): Promise<void> {
  const { reader } = options;
  await reader.confirmOwnership(partition, partition.ending);
  if (!partition.active) return;
  const resource = await options.open(partition);
  try {
    // `open` may have returned early because the process stops or the partition moves.
    if (!partition.active) return;
    const start = await reader.startOffset(partition);
    const { offset, gap } = start;
    if (gap !== undefined) tellGap({ topic: partition.topic, partition: partition.partition, ...gap });
    partition.begin(offset);
    await options.work(partition, resource, progressed, start);
  } finally {
    partition.reopen();
    // Not awaited: a producer waits for its request under way when it closes, its successor need not.
    void options.close(resource).catch(() => undefined);
  }
}

/** The part of a gap not yet reported, if any. */
function untold(gap: OffsetGap, told: OffsetGap | undefined): OffsetGap | undefined {
  if (gap.reason !== told?.reason) return gap;
  if (gap.reason !== 'retention') {
    // Only `to`, the committed offset, identifies it: `from` is the partition's end, which moves on with writes.
    return gap.to === told.to ? undefined : gap;
  }
  if (gap.from !== told.from || gap.to < told.to) return gap;
  return gap.to === told.to ? undefined : { ...gap, from: told.to };
}

/** Number of records in a gap, for metrics; at least 1, when the number is unknown. */
export function gapRecords({ from, to }: Pick<OffsetGap, 'from' | 'to'>): number {
  return Math.max(1, Number(to - from));
}

/** Logs that records are missing. @throws FatalKafkaError when `onGap` says stop */
export function reportGap(
  gap: OffsetGap,
  { log, onGap }: Pick<SessionOptions<unknown>, 'log' | 'onGap'>,
): void {
  const { what, advice } = describeGap(gap);
  if (onGap(gap) === 'stop') {
    throw new FatalKafkaError(`${what}, and on_offset_gap is stop. ${advice}`);
  }
  log.error({ ...gap, from: String(gap.from), to: String(gap.to) }, what);
}

/** Log message of a gap, and the advice shown when it stops the process. */
function describeGap({ topic, partition, from, to, reason }: OffsetGap): { what: string; advice: string } {
  const name = `${topic}/${partition}`;
  const goOn = 'set on_offset_gap: continue to go on';
  switch (reason) {
    case 'retention':
      return {
        what: `${name}: the records ${from} to ${to - 1n} were gone before they were read`,
        advice: `Check the topic's retention; ${goOn} without them.`,
      };
    case 'made_anew':
      return {
        what: `${name}: the topic was deleted and made again after ${to} was committed; all of it is unread, and what was unread of the one before is gone`,
        advice: `Check who made it again; ${goOn} from its beginning.`,
      };
    case 'expired':
      return {
        what: `${name}: it was read before, and what was committed is gone, as when readers were away for longer than offsets.retention.minutes; records kept are ${from} to ${to - 1n}: they are read, perhaps for the second time, and unread ones before them are missing`,
        advice: `Check how long readers were away, or who deleted the offsets; ${goOn} from the oldest record.`,
      };
    case 'truncated':
      return {
        what: `${name}: it ends at ${from}, and ${to} was committed: records that were read are lost, as in an unclean leader election; what was written since then below ${from} is not read`,
        advice: `Check unclean.leader.election.enable and the brokers' disks; ${goOn} at the end.`,
      };
  }
}
