import { readLetter } from '../../core/record/stored-letter.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { FatalKafkaError, isTakenOver } from '../../io/kafka/errors.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import { TransactionalProducer } from '../../io/kafka/produce/transactional-producer.ts';
import { type OffsetRange, readRanges } from '../../io/kafka/range/range-reader.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';
import type { LetterFilter } from './filter.ts';
import { PartitionRedrive } from './partition-redrive.ts';
import { type PartitionPlan, type RedriveCounts, RedrivePlan, verdictOn } from './redrive-plan.ts';
import { type RedriveTargets, redrivenRecord } from './redriven-record.ts';
import { type LetterVisitor, type OnCorrupt, type Progress, scanLetters } from './scan.ts';

export interface RedriveOptions {
  readonly topic: string;
  readonly filter: LetterFilter;
  readonly again: boolean;
  /** Most letters to redrive. */
  readonly limit: number;
  /** Counts, and writes nothing. */
  readonly dryRun: boolean;
  readonly targets: RedriveTargets;
  /** The system's time, for records that are written. */
  readonly nowMs: () => number;
  /** The broker ends an open transaction after this, in ms. */
  readonly transactionTimeoutMs: number;
  readonly onCorrupt?: OnCorrupt;
  /** Told of letters that stay where they are because Penstock has a defect. */
  readonly onDefect: LetterVisitor['onDefect'];
  /** Told of partitions of the topic that cannot be read now, and are left out. */
  readonly onUnreadable?: (partitions: readonly number[]) => void;
  readonly onScan: (progress: Progress) => void;
  readonly onRedrive: (progress: Progress) => void;
}

/** Consumer group without members; its offsets are those up to which every letter is redriven. */
export function redriveGroup(deadTopic: string): string {
  return `penstock.redrive.${deadTopic}`;
}

const ATTEMPTS = 6;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 5_000;

/**
 * Writes dead letters back to the topics they came from, each exactly once.
 *
 * The state is in the dead-letter topic itself: the transaction with the redriven records also has a marker that names
 * their letters (core/record/redrive-marker.ts). So redrives may use any filter, in any order, and one that was killed
 * is just run again. A redrive first opens one transactional id per partition, which settles what a predecessor has
 * left open; then it reads the topic, markers included; then it redrives the selected letters that no marker names. The
 * group's offset only saves reading what lies before the first letter that is left.
 *
 * Letters written after the start are left to the next redrive.
 *
 * @throws FatalKafkaError when another redrive has taken over
 */
export class Redrive {
  readonly #connection: KafkaConnection;
  readonly #admin: KafkaAdmin;
  readonly #options: RedriveOptions;
  readonly #limit = new BatchLimit();
  #done = 0;

  constructor(connection: KafkaConnection, admin: KafkaAdmin, options: RedriveOptions) {
    this.#connection = connection;
    this.#admin = admin;
    this.#options = options;
  }

  /** @returns what was done, or in a dry run would be. After errors of Kafka more may be done than is counted. */
  async run(): Promise<RedriveCounts> {
    const { topic, dryRun, limit } = this.#options;
    const { bounds, unknown } = await this.#admin.knownBounds(topic);
    if (unknown.length > 0) this.#options.onUnreadable?.(unknown);
    const ends = new Map([...bounds].map(([id, { high }]) => [id, high]));
    if (dryRun) return (await this.#plan(ends, limit)).counts;
    const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    let first: RedriveCounts | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        const counts = await this.#attempt(ends, limit - this.#done, (planned) => (first ??= planned));
        return { ...first!, redrive: this.#done, failedAgain: counts.failedAgain };
      } catch (error) {
        if (isTakenOver(error)) throw takenOver(topic, error);
        if (error instanceof FatalKafkaError || attempt === ATTEMPTS) throw error;
        await sleep(backoff.next());
      }
    }
  }

  /** One attempt. After any error it is unknown what was committed: the next attempt reads it from the markers. */
  async #attempt(
    ends: ReadonlyMap<number, bigint>,
    limit: number,
    onPlan: (counts: RedriveCounts) => void,
  ): Promise<RedriveCounts> {
    const { topic, transactionTimeoutMs: timeoutMs } = this.#options;
    const producers = new Map<number, TransactionalProducer>();
    try {
      for (const partition of ends.keys()) {
        const transactionalId = `${redriveGroup(topic)}-${partition}`;
        const producer = await TransactionalProducer.open(this.#connection, {
          transactionalId,
          timeoutMs,
          limit: this.#limit,
        });
        producers.set(partition, producer);
      }
      const { partitions, counts } = await this.#plan(ends, limit);
      onPlan(counts);
      await this.#redrive(partitions, producers);
      return counts;
    } finally {
      await Promise.allSettled([...producers.values()].map((producer) => producer.close()));
    }
  }

  async #plan(ends: ReadonlyMap<number, bigint>, limit: number) {
    const { topic, filter, again, targets, nowMs, onScan, onCorrupt, onDefect } = this.#options;
    const [committed, bounds] = await Promise.all([
      this.#admin.committedOffsets(redriveGroup(topic), topic),
      this.#admin.offsetBounds(topic, [...ends.keys()]),
    ]);
    const ranges = new Map<number, OffsetRange>();
    for (const [partition, bound] of bounds) {
      // Up to the current end, not that at the start: a predecessor's last marker may be behind it.
      // An offset out of bounds is ignored and everything is read: the markers have the state.
      const from = committed.get(partition) ?? bound.low;
      const fits = from >= bound.low && from <= bound.high;
      ranges.set(partition, { from: fits ? from : bound.low, to: bound.high });
    }
    const plan = new RedrivePlan();
    const check: Parameters<typeof verdictOn>[1]['check'] = (letter) => {
      const record = redrivenRecord(letter, targets, nowMs());
      return typeof record === 'string' ? record : undefined;
    };
    const redriven = await scanLetters(this.#connection, this.#admin, {
      topic,
      ranges,
      onLetter: (letter) => {
        const { partition, offset } = letter.record;
        if (offset >= (ends.get(partition) ?? 0n)) return;
        plan.add(partition, offset, verdictOn(letter, { filter, again, check }));
      },
      onDefect: (record, error) => {
        const { partition, offset } = record;
        if (offset >= (ends.get(partition) ?? 0n)) return;
        plan.add(partition, offset, 'defect');
        onDefect(record, error);
      },
      onProgress: onScan,
      onCorrupt,
    });
    return plan.finish(redriven, ends, limit);
  }

  async #redrive(
    plans: ReadonlyMap<number, PartitionPlan>,
    producers: ReadonlyMap<number, TransactionalProducer>,
  ): Promise<void> {
    const { topic, targets, nowMs, onRedrive } = this.#options;
    const of = this.#done + [...plans.values()].reduce((sum, { take }) => sum + take.length, 0);
    const ranges = new Map<number, OffsetRange>();
    const redrives = new Map<number, PartitionRedrive>();
    for (const [partition, plan] of plans) {
      const [first] = plan.take;
      if (first === undefined) continue;
      ranges.set(partition, { from: first, to: plan.take.at(-1)! + 1n });
      const groupId = redriveGroup(topic);
      const send = producers.get(partition)!;
      const target = { topic, partition, groupId, nowMs };
      redrives.set(
        partition,
        new PartitionRedrive(target, plan, send, (letters) => {
          this.#done += letters;
          onRedrive({ read: this.#done, of });
        }),
      );
    }
    const visit = async (records: readonly FetchedRecord[]) => {
      const redrive = redrives.get(records[0]!.partition)!;
      for (const record of records) {
        if (!redrive.takes(record.offset)) continue;
        const outgoing = redrivenRecord(readLetter(record)!, targets, nowMs());
        if (typeof outgoing === 'string')
          throw new FatalKafkaError(`a letter changed while it was read: ${outgoing}`);
        await redrive.add(record.offset, outgoing);
      }
    };
    const onCorrupt = this.#options.onCorrupt && (() => undefined); // reported while planning
    await readRanges(this.#connection, this.#admin, { topic, ranges, visit, onCorrupt });
    for (const redrive of redrives.values()) await redrive.flush();
  }
}

function takenOver(topic: string, cause: unknown): FatalKafkaError {
  return new FatalKafkaError(
    `another redrive of ${topic} has taken over and goes on where this one was; what this one had done stays done`,
    { cause },
  );
}
