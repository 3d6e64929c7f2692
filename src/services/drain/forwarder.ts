import { errorMessage, PoisonError, tooManyHeaders } from '../../core/model/errors.ts';
import { unknownVersion } from '../../core/record/headers.ts';
import { giveBack } from '../../core/wire/memory.ts';
import { FatalKafkaError, isDefect } from '../../io/kafka/errors.ts';
import type { AssignedPartition, CorruptBatch } from '../../io/kafka/group/assigned-partition.ts';
import type { CommittedStart, GroupReader } from '../../io/kafka/group/group-reader.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import type { RemoteWriteClient } from '../../io/remote-write/client.ts';
import { DeliveryStoppedError, deliver, type Refused } from '../../io/remote-write/deliver.ts';
import { mayHaveBeenTaken } from '../../io/remote-write/errors.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';
import type { DrainEvents } from './events.ts';
import { SourceTracker } from './source-tracker.ts';
import { formatTurn, parseTurn } from './turn.ts';

export interface ForwarderOptions {
  readonly reader: Pick<GroupReader, 'ensureOwned' | 'commit'>;
  readonly client: Pick<RemoteWriteClient, 'send' | 'probeFirst' | 'sentAll'> & {
    readonly generation?: number;
  };
  readonly events: DrainEvents;
  /** First and longest pause between attempts, in ms. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Record headers that go to the node as HTTP headers. */
  readonly tenantHeaders: readonly string[];
  /** Writes dead letters for what the node refuses for good. */
  readonly writeDeadLetters: (record: FetchedRecord, refused: readonly Refused[]) => Promise<void>;
  /** Writes a dead letter for an unreadable record batch. */
  readonly setAside: (batch: CorruptBatch) => Promise<void>;
  readonly committed: (partition: AssignedPartition, offset: bigint) => void;
  /** The turn of the partition, noted at every commit. */
  readonly turn: number;
}

const EMPTY = Buffer.alloc(0);

/**
 * Forwards the records of one partition: one at a time, committed after the node has answered.
 *
 * After a crash it is unknown whether the node has taken the record behind the last commit. So each start that follows
 * no hand-over counts its first record as one that may have been sent before.
 */
export class Forwarder {
  readonly #partition: AssignedPartition;
  readonly #options: ForwarderOptions;
  readonly #sources = new SourceTracker();
  /** The offset to commit if the work ends now. */
  #next: bigint;
  /** The predecessor did not hand over: the first record may have been sent already. */
  readonly #crashed: boolean;
  /** The node may have taken a part of the record at `#next`, or all of it. */
  #maybeTaken: boolean;
  /** The node has taken a part of it: the rest has to follow before the work may end. */
  #partTaken = false;

  constructor(partition: AssignedPartition, start: CommittedStart, options: ForwarderOptions) {
    this.#partition = partition;
    this.#options = options;
    this.#next = start.offset;
    this.#crashed = start.note !== undefined && parseTurn(start.note).state === 'working';
    this.#maybeTaken = this.#crashed;
  }

  /** Runs until the partition drains. @throws PartitionLostError, and FatalKafkaError from `writeDeadLetters` */
  async run(progressed: () => void): Promise<void> {
    const { reader, client, events, committed } = this.#options;
    const partition = this.#partition;
    const note = formatTurn({ turn: this.#options.turn, state: 'working' });
    if (!this.#crashed) await reader.commit(partition, this.#next, note);
    let first = this.#crashed;
    for (;;) {
      const taken = await partition.take({ maxRecords: 1, maxBytes: Number.MAX_SAFE_INTEGER, lingerMs: 0 });
      if (taken === undefined) break;
      const [record] = taken.records;
      if (record !== undefined) {
        if (first) events.possibleRepeat(record, 'takeover');
        events.sourceFaults(record, this.#sources.next(record.headers));
        let refused: Refused[];
        try {
          refused = await this.#deliverOrBlame(record, first);
        } catch (error) {
          if (error instanceof DeliveryStoppedError) break;
          throw error;
        }
        if (refused.length > 0) await this.#writeDeadLetters(record, refused);
        events.delivered(record, refused, Date.now());
        first = false;
      }
      const { corrupt } = taken;
      if (corrupt !== undefined) await this.#setAside(corrupt);
      await reader.commit(partition, taken.nextOffset, note);
      this.#next = taken.nextOffset;
      committed(partition, taken.nextOffset);
      if (record?.memory !== undefined && client.sentAll) giveBack(record.memory);
      progressed();
    }
    if (this.#maybeTaken) return;
    await reader.commit(
      partition,
      this.#next,
      formatTurn({ turn: this.#options.turn, state: 'handed over' }),
    );
  }

  /** Delivers a record; sets it aside if it causes an unforeseen error twice. */
  async #deliverOrBlame(record: FetchedRecord, maybeSent: boolean): Promise<Refused[]> {
    try {
      return await this.#deliver(record, maybeSent);
    } catch (error) {
      if (!isDefect(error)) throw error;
    }
    try {
      return await this.#deliver(record, this.#maybeTaken);
    } catch (error) {
      if (!isDefect(error)) throw error;
      this.#options.events.defect(record, error as Error);
      this.#maybeTaken = false;
      const message = `a defect of Penstock: ${errorMessage(error)}; the node may have taken a part of the record`;
      return [{ body: record.value ?? EMPTY, error: new PoisonError('deliver', 'defect', message) }];
    }
  }

  async #deliver(record: FetchedRecord, maybeSent: boolean): Promise<Refused[]> {
    this.#maybeTaken = maybeSent;
    this.#partTaken = false;
    if (record.headersLeftOut)
      return [{ body: record.value ?? EMPTY, error: tooManyHeaders(record.headersLeftOut, 'deliver') }];
    const unknown = unknownVersion(record.headers, 'deliver');
    if (unknown !== undefined) return [{ body: record.value ?? EMPTY, error: unknown }];
    if (record.value === null || record.value.length === 0) {
      const reason = record.value === null ? 'null_value' : 'empty_record';
      const error = new PoisonError('deliver', reason, 'the record has no body to forward');
      return [{ body: EMPTY, error }];
    }
    const { reader, client, events, backoffMinMs, backoffMaxMs } = this.#options;
    const partition = this.#partition;
    const request = { body: record.value, headers: this.#tenantHeaders(record) };
    if (maybeSent) client.probeFirst(request);
    const refused = await deliver(request, {
      send: async (part, signal) => {
        await reader.ensureOwned(partition);
        if (!this.#mayBegin) throw new DeliveryStoppedError('the drain stops');
        try {
          const code = await client.send(part, signal);
          this.#maybeTaken = this.#partTaken = true;
          events.answered(code);
          return code;
        } catch (error) {
          if (error instanceof PoisonError) events.refusedRequest(error);
          throw error;
        }
      },
      backoffMinMs,
      backoffMaxMs,
      signal: partition.lost,
      active: () => this.#mayBegin,
      generation: () => client.generation,
      onRetry: (error, pauseMs) => {
        events.retried(record, error, pauseMs);
        if (!mayHaveBeenTaken(error)) return;
        this.#maybeTaken = true;
        events.possibleRepeat(record, 'unanswered');
      },
    });
    this.#maybeTaken = false;
    return refused;
  }

  /** A record taken in part is finished even while the drain stops: the next owner would send all of it again. */
  get #mayBegin(): boolean {
    return this.#partition.active || this.#partTaken;
  }

  #writeDeadLetters(record: FetchedRecord, refused: readonly Refused[]): Promise<void> {
    const { writeDeadLetters, events } = this.#options;
    return this.#untilKept(
      () => writeDeadLetters(record, refused),
      (error, pauseMs) => events.deadLettersNotWritten(record, error, pauseMs),
    );
  }

  #setAside(batch: CorruptBatch): Promise<void> {
    const { setAside, events } = this.#options;
    const { topic, partition } = this.#partition;
    return this.#untilKept(
      () => setAside(batch),
      (error, pauseMs) =>
        events.deadLettersNotWritten({ topic, partition, offset: batch.offset }, error, pauseMs),
    );
  }

  /** Retries until it is written: starting the record over would send the node again what it has taken. */
  async #untilKept(
    keep: () => Promise<void>,
    onFailure: (error: unknown, pauseMs: number) => void,
  ): Promise<void> {
    const backoff = new Backoff(this.#options.backoffMinMs, this.#options.backoffMaxMs);
    for (;;) {
      this.#partition.assertOwned();
      try {
        await keep();
        return;
      } catch (error) {
        if (error instanceof FatalKafkaError) throw error;
        const pauseMs = backoff.next();
        onFailure(error, pauseMs);
        await sleep(pauseMs, this.#partition.lost);
      }
    }
  }

  #tenantHeaders(record: FetchedRecord): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const name of this.#options.tenantHeaders) {
      const value = record.headers[name];
      // HTTP headers are bytes too: latin1 passes the record's bytes on unchanged.
      if (value != null) headers[name] = Buffer.from(value).toString('latin1');
    }
    return headers;
  }
}
