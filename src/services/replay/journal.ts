import type { OutgoingRecord } from '../../core/model/records.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { FatalKafkaError } from '../../io/kafka/errors.ts';
import { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import { NO_MEMBER, TransactionalProducer } from '../../io/kafka/produce/transactional-producer.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { sleep } from '../../io/time/sleep.ts';
import {
  decodeReplay,
  encodeEntry,
  GROUP_PREFIX,
  headOf,
  type ReplayPhase,
  replayGroup,
  replayId,
  type StoredReplay,
  stopGroup,
} from './stored-replay.ts';
import { type ReplayCounts, Tally } from './target/target.ts';

/** Default of the brokers' limit for the metadata of an offset (`offset.metadata.max.bytes`). */
const METADATA_MAX_BYTES = 4_096;
/** Room for the growth of the entry while a replay runs: counts, reasons of refusals. */
const METADATA_GROWTH_BYTES = 1_024;
/**
 * Interval at which all partitions are committed again: brokers expire offsets one by one, after a minute at least
 * (`offsets.retention.minutes`).
 */
const REFRESH_MS = 20_000;
/** Heartbeat interval, in ms. */
const KEEP_MS = 10_000;

export interface JournalOptions {
  /** The broker ends an open transaction after this, in ms. */
  readonly transactionTimeoutMs: number;
  /** Shared by all journals of a process, so that a size limit learnt from a broker is kept. */
  readonly limit: BatchLimit;
  /** The system's time, which is stored for other processes. */
  readonly nowMs: () => number;
}

/** Result of a step, stored with its positions. */
export interface JournalStep {
  /** Next offset, by partition; partitions that have not moved may be left out. */
  readonly positions: ReadonlyMap<number, bigint>;
  readonly counts: ReplayCounts;
  /** Replaces what the target had stored under these names. */
  readonly extra?: Readonly<Record<string, number>>;
}

/**
 * The positions of a replay in Kafka, and the only writer of them: opening it fences a predecessor that still runs.
 *
 * Positions are the offsets of a group without members; their metadata describes the replay. They are written in
 * transactions, for a target in Kafka together with its records, and heartbeats beside them, whatever the steps wait
 * for. After any error close it and open it again: only that shows what was committed.
 */
export class Journal {
  readonly #producer: TransactionalProducer;
  readonly #options: JournalOptions;
  #replay: StoredReplay;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  /** The first error: since then it is unknown what is stored. */
  #failure: { readonly error: unknown } | undefined;
  /** Tail of the queue of writes: heartbeats come while a step is being written. */
  #writing: Promise<unknown> = Promise.resolve();
  readonly #closed = new AbortController();
  #keeping: Promise<void> | undefined;

  private constructor(producer: TransactionalProducer, replay: StoredReplay, options: JournalOptions) {
    this.#producer = producer;
    this.#replay = replay;
    this.#options = options;
  }

  /**
   * Opens the journal, and stores that the process named `replay.run` runs the replay.
   *
   * @param choose what to begin, given what is stored: that, or something new; it may throw
   * @throws FatalKafkaError if the entry is larger than brokers may take
   */
  static async open(
    connection: KafkaConnection,
    admin: KafkaAdmin,
    { id, run }: Pick<StoredReplay, 'id' | 'run'>,
    choose: (stored: StoredReplay | undefined) => StoredReplay,
    options: JournalOptions,
  ): Promise<Journal> {
    const producer = await openProducer(connection, replayGroup(id), options);
    try {
      const stored = await readReplay(admin, id, { final: true });
      const journal = new Journal(producer, { ...choose(stored), run }, options);
      if (stored?.run !== run) requireRoom(journal.replay);
      // All partitions, so that brokers do not expire the replay before anything can be written.
      await journal.#mark('running');
      journal.#keeping = journal.#keep();
      return journal;
    } catch (error) {
      void producer.close().catch(() => undefined);
      throw error;
    }
  }

  get id(): string {
    return this.#replay.id;
  }

  /** The replay as it is stored. */
  get replay(): StoredReplay {
    return this.#replay;
  }

  /** @throws the error after which nothing can be stored any more, such as that of a heartbeat */
  assertWorking(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /**
   * Stores a step once it is at the target; if that is in Kafka, with its records in the same transaction. When it
   * throws, it is unknown whether they are written.
   */
  async store(step: JournalStep, records: readonly OutgoingRecord[] = []): Promise<void> {
    await this.#inTurn(async () => {
      const { counts, partitions, extra } = this.#replay;
      const next = {
        ...this.#replay,
        counts: new Tally().add(counts).add(step.counts),
        partitions: moved(partitions, step.positions),
        extra: { ...extra, ...step.extra },
      };
      await this.#write(next, step.positions.keys(), records);
    });
  }

  async #mark(phase: ReplayPhase): Promise<void> {
    await this.#inTurn(() => this.#write({ ...this.#replay, phase }));
  }

  /** @param ended this process ends here, asked to or not, and stores that */
  async close(ended: boolean): Promise<void> {
    this.#closed.abort();
    await this.#keeping;
    try {
      if (ended) await this.#mark('stopped');
    } finally {
      await this.#producer.close();
    }
  }

  async #keep(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted && this.#failure === undefined) {
      await sleep(KEEP_MS, signal);
      // An error shows in the next write, or in the wait for the next turn.
      if (!signal.aborted) await this.#mark('running').catch(() => undefined);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#writing.then(work);
    this.#writing = turn.catch(() => undefined);
    return turn;
  }

  /** Writes all partitions if the last time is `REFRESH_MS` ago: positions of a replay that waits must not expire. */
  async #write(
    next: StoredReplay,
    moved: Iterable<number> = [],
    records: readonly OutgoingRecord[] = [],
  ): Promise<void> {
    this.assertWorking();
    const replay = { ...next, updatedMs: this.#options.nowMs() };
    const { id, spec, partitions } = replay;
    const all = monotonicMs() - this.#refreshedMs > REFRESH_MS;
    const written = new Set([headOf(partitions), ...(all ? partitions.keys() : moved)]);
    const source = {
      groupId: replayGroup(id),
      membership: NO_MEMBER,
      topic: spec.topic,
      partitions: [...written].map((partition) => ({ partition, ...encodeEntry(replay, partition) })),
    };
    try {
      await this.#producer.send(source, records);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
    this.#replay = replay;
    if (all) this.#refreshedMs = monotonicMs();
  }
}

function openProducer(
  connection: KafkaConnection,
  transactionalId: string,
  { transactionTimeoutMs: timeoutMs, limit }: Pick<JournalOptions, 'transactionTimeoutMs' | 'limit'>,
): Promise<TransactionalProducer> {
  return TransactionalProducer.open(connection, { transactionalId, timeoutMs, limit });
}

function requireRoom(replay: StoredReplay): void {
  const bytes = Buffer.byteLength(encodeEntry(replay, headOf(replay.partitions)).metadata);
  const room = METADATA_MAX_BYTES - METADATA_GROWTH_BYTES;
  if (bytes <= room) return;
  throw new FatalKafkaError(
    `what replay ${replay.id} is takes ${bytes} bytes in its consumer group, and ${room} fit; give fewer or shorter ` +
      'selectors (--match)',
  );
}

function moved(
  partitions: StoredReplay['partitions'],
  positions: ReadonlyMap<number, bigint>,
): StoredReplay['partitions'] {
  const all = new Map(partitions);
  for (const [partition, position] of positions) all.set(partition, { ...all.get(partition)!, position });
  return all;
}

/**
 * The stored replay of an id, if there is one. While it runs the answer may be a step behind.
 *
 * @param final whether open transactions are waited for
 * @throws FatalKafkaError if it cannot be read as a whole
 */
export async function readReplay(
  admin: KafkaAdmin,
  id: string,
  { final = false } = {},
): Promise<StoredReplay | undefined> {
  for (const committed of (await admin.committedEntries(replayGroup(id), { final })).values()) {
    const replay = decodeReplay(id, committed);
    if (replay !== undefined) return replay;
  }
  return undefined;
}

/** All stored replays, newest first, and the errors of those that cannot be read. */
export async function listReplays(
  admin: KafkaAdmin,
): Promise<{ readonly replays: readonly StoredReplay[]; readonly unreadable: readonly string[] }> {
  const replays: StoredReplay[] = [];
  const unreadable: string[] = [];
  for (const group of await admin.groupsWith(GROUP_PREFIX)) {
    const id = replayId(group);
    if (id === undefined) continue;
    try {
      const replay = await readReplay(admin, id);
      if (replay !== undefined) replays.push(replay);
    } catch (error) {
      if (!(error instanceof FatalKafkaError)) throw error;
      unreadable.push(error.message);
    }
  }
  return { replays: replays.sort((a, b) => b.startedMs - a.startedMs), unreadable };
}

/**
 * Asks the process that runs a replay to stop. The request names the process by its `run`, so the one that resumes the
 * replay later ignores it.
 */
export async function requestStop(
  connection: KafkaConnection,
  { id, run, spec, partitions }: StoredReplay,
  transactionTimeoutMs: number,
): Promise<void> {
  const groupId = stopGroup(id);
  const producer = await openProducer(connection, groupId, { transactionTimeoutMs, limit: new BatchLimit() });
  try {
    const request = { partition: headOf(partitions), offset: 0n, metadata: run };
    await producer.send({ groupId, membership: NO_MEMBER, topic: spec.topic, partitions: [request] }, []);
  } finally {
    await producer.close();
  }
}

/** Whether the process that runs a replay was told to stop. */
export async function isStopRequested(
  admin: KafkaAdmin,
  { id, run }: Pick<StoredReplay, 'id' | 'run'>,
): Promise<boolean> {
  const entries = await admin.committedEntries(stopGroup(id));
  return [...entries.values()].some((committed) =>
    [...committed.values()].some(({ metadata }) => metadata === run),
  );
}
