import { errorMessage, PoisonError, tooManyHeaders } from '../../core/model/errors.ts';
import { unknownVersion } from '../../core/record/headers.ts';
import { FatalKafkaError, isDefect } from '../../io/kafka/errors.ts';
import type { AssignedPartition, CorruptBatch } from '../../io/kafka/group/assigned-partition.ts';
import type { GroupReader } from '../../io/kafka/group/group-reader.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import type { RemoteWriteClient, RemoteWriteRequest } from '../../io/remote-write/client.ts';
import { DeliveryStoppedError, deliver, type Refused } from '../../io/remote-write/deliver.ts';
import { HttpRefusalError, mayHaveBeenTaken } from '../../io/remote-write/errors.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';
import type { DrainEvents } from './events.ts';
import { SourceTracker } from './source-tracker.ts';
import { formatTurn, type Handover } from './turn.ts';

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
  readonly systemMs: () => number;
}

const EMPTY = Buffer.alloc(0);

/** Where a forwarder begins. */
export interface ForwarderStart {
  readonly offset: bigint;
  readonly handover: Handover;
}

/**
 * What the node has of the record at hand:
 *
 *     untouched ──no answer──▶ in doubt ──a part accepted──▶ part taken ──all answered──▶ taken
 *         ▲                                                                                 │
 *         └───────────────────────────────── commit ───────────────────────────────────────┘
 *
 * A record may skip states on the way to the right. A defect leads from part taken back to in doubt.
 *
 * - untouched: nothing. If the work ends now, the record is handed over.
 * - in doubt: perhaps all of it: a predecessor may have sent it, or an attempt got no answer. If the work ends now, the
 *   next reader has to know, so nothing is handed over.
 * - part taken: a part of it. The rest follows even while the drain stops: the next reader would send all of it again.
 * - taken: what it ever will. Dead letters of the rest are to be written, and the offset is to be committed.
 */
type RecordState = 'untouched' | 'in doubt' | 'part taken' | 'taken';

/**
 * Forwards the records of one partition: one at a time, committed after the node has answered.
 *
 * After a crash it is unknown whether the node has taken the record behind the last commit. So each start that follows
 * an unclean hand-over counts its first record as one that may have been sent before.
 */
export class Forwarder {
  readonly #partition: AssignedPartition;
  readonly #options: ForwarderOptions;
  readonly #sources = new SourceTracker();
  /** The offset to commit if the work ends now. */
  #next: bigint;
  /** State of the record at `#next`. */
  #state: RecordState;

  constructor(partition: AssignedPartition, { offset, handover }: ForwarderStart, options: ForwarderOptions) {
    this.#partition = partition;
    this.#options = options;
    this.#next = offset;
    this.#state = handover === 'unclean' ? 'in doubt' : 'untouched';
  }

  /** Runs until the partition drains. @throws PartitionLostError, and FatalKafkaError from `writeDeadLetters` */
  async run(progressed: () => void): Promise<void> {
    const { client, committed } = this.#options;
    const partition = this.#partition;
    // Where the first record is in doubt, the commit there says so already.
    if (this.#state === 'untouched') await this.#commit('working');
    for (;;) {
      const taken = await partition.take({ maxRecords: 1, maxBytes: Number.MAX_SAFE_INTEGER, lingerMs: 0 });
      if (taken === undefined) break;
      const [record] = taken.records;
      if (record !== undefined && !(await this.#forward(record))) break;
      if (taken.corrupt !== undefined) await this.#setAside(taken.corrupt);
      this.#next = taken.nextOffset;
      await this.#commit('working');
      // Without a record, the one in doubt is still to come.
      if (this.#state === 'taken') this.#state = 'untouched';
      committed(partition, this.#next);
      if (client.sentAll) record?.lease?.end();
      progressed();
    }
    if (this.#state === 'untouched') await this.#commit('handed over');
  }

  #commit(state: 'working' | 'handed over'): Promise<void> {
    const { reader, turn } = this.#options;
    return reader.commit(this.#partition, this.#next, formatTurn({ turn, state }));
  }

  /** Delivers a record, and writes what is refused to the dead letters. @returns false if the drain stops first */
  async #forward(record: FetchedRecord): Promise<boolean> {
    const { events, systemMs } = this.#options;
    if (this.#state === 'in doubt') events.possibleRepeat(record, 'takeover');
    events.sourceFaults(record, this.#sources.next(record.headers));
    let refused: readonly Refused[];
    try {
      refused = await this.#deliverOrBlame(record);
    } catch (error) {
      if (error instanceof DeliveryStoppedError) return false;
      throw error;
    }
    this.#state = 'taken';
    if (refused.length > 0) await this.#writeDeadLetters(record, refused);
    events.delivered(record, refused, systemMs());
    return true;
  }

  /** Delivers a record; sets it aside if it causes an unforeseen error twice. */
  async #deliverOrBlame(record: FetchedRecord): Promise<Refused[]> {
    try {
      return await this.#deliver(record);
    } catch (error) {
      if (!isDefect(error)) throw error;
    }
    // Which part was taken is no longer known: all of it is sent again.
    if (this.#state === 'part taken') this.#state = 'in doubt';
    try {
      return await this.#deliver(record);
    } catch (error) {
      if (!isDefect(error)) throw error;
      this.#options.events.defect(record, error as Error);
      const message = `a defect of Penstock: ${errorMessage(error)}; the node may have taken a part of the record`;
      return refusedWhole(record, new PoisonError('deliver', 'defect', message));
    }
  }

  async #deliver(record: FetchedRecord): Promise<Refused[]> {
    const unusable = unusableRecord(record);
    if (unusable !== undefined) return refusedWhole(record, unusable);
    const { client, events, backoffMinMs, backoffMaxMs } = this.#options;
    const request = { body: record.value!, headers: this.#tenantHeaders(record) };
    if (this.#state === 'in doubt') client.probeFirst(request);
    return await deliver(request, {
      send: (part, signal) => this.#send(part, signal),
      backoffMinMs,
      backoffMaxMs,
      signal: this.#partition.lost,
      active: () => this.#mayBegin,
      generation: () => client.generation,
      onRetry: (error, pauseMs) => {
        events.retried(record, error, pauseMs);
        if (!mayHaveBeenTaken(error)) return;
        if (this.#state === 'untouched') this.#state = 'in doubt';
        events.possibleRepeat(record, 'unanswered');
      },
    });
  }

  /** One attempt. @returns the HTTP status, 2xx */
  async #send(part: RemoteWriteRequest, signal: AbortSignal): Promise<number> {
    const { reader, client, events } = this.#options;
    await reader.ensureOwned(this.#partition);
    if (!this.#mayBegin) throw new DeliveryStoppedError('the drain stops');
    try {
      const code = await client.send(part, signal);
      this.#state = 'part taken';
      events.answered(code);
      return code;
    } catch (error) {
      if (error instanceof HttpRefusalError) events.answered(error.code);
      throw error;
    }
  }

  get #mayBegin(): boolean {
    return this.#partition.active || this.#state === 'part taken';
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

/** Why a record cannot be forwarded at all, if so. */
function unusableRecord({ headers, headersLeftOut, value }: FetchedRecord): PoisonError | undefined {
  if (headersLeftOut) return tooManyHeaders(headersLeftOut, 'deliver');
  const unknown = unknownVersion(headers, 'deliver');
  if (unknown !== undefined) return unknown;
  if (value !== null && value.length > 0) return undefined;
  const reason = value === null ? 'null_value' : 'empty_record';
  return new PoisonError('deliver', reason, 'the record has no body to forward');
}

function refusedWhole({ value }: FetchedRecord, error: PoisonError): Refused[] {
  return [{ body: value ?? EMPTY, error }];
}
