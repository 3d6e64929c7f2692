import type { Logger } from 'pino';
import { errorMessage } from '../model/errors.ts';
import { Backoff, sleep } from '../model/sleep.ts';
import type { AssignedPartition } from './assigned-partition.ts';
import {
  isMembershipError,
  isUnauthorized,
  KafkaSetupError,
  OffsetOutOfRangeError,
  PartitionLostError,
} from './errors.ts';
import type { CommittedStart, GroupReader } from './group-reader.ts';

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;

/** Records that were gone before they were read: offsets `from` (included) to `to` (not included). */
export interface OffsetGap {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
}

export interface SessionOptions<Resource> {
  readonly reader: GroupReader;
  readonly log: Logger;
  /** What the work needs: opened after ownership is proven, and before the committed offset is read. */
  readonly open: (partition: AssignedPartition) => Promise<Resource>;
  readonly close: (resource: Resource) => Promise<void>;
  /**
   * Takes records and works on them until the partition drains. Any error leads to a new session.
   * `progressed` is to be called after each step that succeeded: pauses after errors grow until then.
   */
  readonly work: (
    partition: AssignedPartition,
    resource: Resource,
    progressed: () => void,
    start: CommittedStart,
  ) => Promise<void>;
  readonly onGap: (gap: OffsetGap) => 'continue' | 'stop';
  readonly onFailure: (error: unknown) => void;
}

/**
 * Works on an assigned partition, session by session, until it is lost or the process stops.
 *
 * A session: prove ownership ▸ open (fence and settle a predecessor) ▸ read the committed offset ▸ read and
 * work. After any error of the work a new session begins the same way, since only that tells what of the last
 * step was committed. Trouble with Kafka is waited out here, with pauses that grow.
 *
 * @throws KafkaSetupError and what else only the operator can mend; the process then ends
 */
export async function runSessions<Resource>(
  partition: AssignedPartition,
  options: SessionOptions<Resource>,
): Promise<void> {
  const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
  while (partition.active) {
    try {
      await runSession(partition, options, () => backoff.reset());
    } catch (error) {
      if (error instanceof PartitionLostError || partition.state === 'lost') return;
      if (error instanceof KafkaSetupError || isUnauthorized(error)) throw error;
      await settle(error, partition, options, backoff);
    }
  }
}

/** Reports what ended a session, and waits where that may help. */
async function settle<Resource>(
  error: unknown,
  { topic, partition, ending }: AssignedPartition,
  { log, onFailure }: SessionOptions<Resource>,
  backoff: Backoff,
): Promise<void> {
  const fields = { topic, partition, error: errorMessage(error) };
  if (isMembershipError(error)) {
    log.debug(fields, 'a step met a rebalance and is done again from the committed offset');
    return; // the next session waits by itself until the group has settled
  }
  const retryInMs = Math.round(backoff.next());
  if (error instanceof OffsetOutOfRangeError) {
    log.debug({ ...fields, retryInMs }, 'reading begins anew where the records are');
  } else {
    onFailure(error);
    log.warn({ ...fields, retryInMs }, 'a step failed and is tried again from the committed offset');
  }
  await sleep(retryInMs, ending);
}

async function runSession<Resource>(
  partition: AssignedPartition,
  options: SessionOptions<Resource>,
  progressed: () => void,
): Promise<void> {
  const { reader } = options;
  await reader.confirmOwnership(partition, partition.ending);
  if (!partition.active) return;
  const resource = await options.open(partition);
  try {
    const start = await reader.startOffset(partition);
    const { offset, gap } = start;
    if (gap !== undefined)
      reportGap({ topic: partition.topic, partition: partition.partition, ...gap }, options);
    partition.begin(offset);
    await options.work(partition, resource, progressed, start);
  } finally {
    partition.reopen();
    // A producer with a request under way waits for it when it closes; its successor does not have to.
    void options.close(resource).catch(() => undefined);
  }
}

function reportGap<Resource>(gap: OffsetGap, { log, onGap }: SessionOptions<Resource>): void {
  const text = `${gap.topic}/${gap.partition}: the records ${gap.from} to ${gap.to - 1n} were gone before they were read`;
  if (onGap(gap) === 'stop') {
    throw new KafkaSetupError(
      `${text}, and on_offset_gap is stop. Check the topic's retention; set on_offset_gap: continue to go on without them.`,
    );
  }
  log.error({ ...gap, from: String(gap.from), to: String(gap.to) }, text);
}
