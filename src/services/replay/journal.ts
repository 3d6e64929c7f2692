import type { OutgoingRecord } from '../../core/model/records.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { FatalKafkaError } from '../../io/kafka/errors.ts';
import type { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import { NO_MEMBER, TransactionalProducer } from '../../io/kafka/produce/transactional-producer.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import {
  decodeReplay,
  encodeEntry,
  GROUP_PREFIX,
  headOf,
  type ReplayPhase,
  replayGroup,
  replayId,
  type StoredReplay,
} from './stored-replay.ts';
import { addCounts } from './target/tally.ts';
import type { ReplayCounts } from './target/target.ts';

/** Default of the brokers' limit for the metadata of an offset (`offset.metadata.max.bytes`). */
const METADATA_MAX_BYTES = 4_096;
/** Room for the growth of the entry while a replay runs: counts, reasons of refusals. */
const METADATA_GROWTH_BYTES = 1_024;
/**
 * Interval at which all partitions are committed again: brokers expire offsets one by one, after a minute at least
 * (`offsets.retention.minutes`).
 */
const REFRESH_MS = 20_000;

export interface JournalOptions {
  readonly id: string;
  /** Names this process in what is stored. */
  readonly run: string;
  /** The broker ends an open transaction after this, in ms. */
  readonly transactionTimeoutMs: number;
  readonly limit: BatchLimit;
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
 * transactions, for a target in Kafka together with its records. After any error close it and open it again: only that
 * shows what was committed.
 */
export class Journal {
  readonly id: string;
  readonly #run: string;
  readonly #producer: TransactionalProducer;
  #replay: StoredReplay | undefined;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  /** The first error: since then it is unknown what is stored. */
  #failure: { readonly error: unknown } | undefined;
  /** Tail of the queue of writes: heartbeats come while a step is being written. */
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(
    { id, run }: JournalOptions,
    producer: TransactionalProducer,
    replay: StoredReplay | undefined,
  ) {
    this.id = id;
    this.#run = run;
    this.#producer = producer;
    this.#replay = replay;
  }

  static async open(
    connection: KafkaConnection,
    admin: KafkaAdmin,
    options: JournalOptions,
  ): Promise<Journal> {
    const { id, limit, transactionTimeoutMs: timeoutMs } = options;
    const producer = await TransactionalProducer.open(connection, {
      transactionalId: replayGroup(id),
      timeoutMs,
      limit,
    });
    try {
      return new Journal(options, producer, await readReplay(admin, id, { final: true }));
    } catch (error) {
      void producer.close().catch(() => undefined);
      throw error;
    }
  }

  /** The replay as it is stored; undefined before `begin`. */
  get replay(): StoredReplay | undefined {
    return this.#replay;
  }

  /** Whether the process that opened it is the one that runs the replay. */
  get owned(): boolean {
    return this.#replay?.run === this.#run;
  }

  /** What the target has stored. */
  get extra(): Readonly<Record<string, number>> {
    return this.#replay?.extra ?? {};
  }

  /**
   * Stores a new replay, or takes over a stored one.
   *
   * @throws FatalKafkaError if the entry is larger than brokers may take
   */
  async begin(replay: Omit<StoredReplay, 'run' | 'phase' | 'updatedMs'>): Promise<void> {
    const begun: StoredReplay = { ...replay, run: this.#run, phase: 'running', updatedMs: Date.now() };
    const { metadata } = encodeEntry(begun, headOf(begun.partitions));
    const bytes = Buffer.byteLength(metadata) + METADATA_GROWTH_BYTES;
    if (bytes > METADATA_MAX_BYTES)
      throw new FatalKafkaError(
        `what replay ${replay.id} is takes ${Buffer.byteLength(metadata)} bytes in its consumer group, and ` +
          `${METADATA_MAX_BYTES - METADATA_GROWTH_BYTES} fit; give fewer or shorter selectors (--match)`,
      );
    await this.#write(begun, [], begun.partitions.keys());
    this.#refreshedMs = monotonicMs();
  }

  /** Writes records and positions in one transaction. When it throws, it is unknown whether they are written. */
  async send(records: readonly OutgoingRecord[], step: JournalStep): Promise<void> {
    await this.#inTurn(async () => {
      const replay = this.#begun();
      const next = {
        ...replay,
        counts: addCounts(replay.counts, step.counts),
        partitions: moved(replay, step.positions),
        extra: { ...replay.extra, ...step.extra },
      };
      await this.#writeFresh(next, records, step.positions.keys());
    });
  }

  /** Stores positions, once everything before them is at the target. */
  async commit(step: JournalStep): Promise<void> {
    await this.send([], step);
  }

  /** Stores a heartbeat of this process, or that the replay has stopped. */
  async mark(phase: ReplayPhase): Promise<void> {
    await this.#inTurn(() => this.#writeFresh({ ...this.#begun(), phase }, [], []));
  }

  /**
   * Writes all partitions if the last time is `REFRESH_MS` ago: the positions of a replay that waits must not expire.
   */
  async #writeFresh(
    replay: StoredReplay,
    records: readonly OutgoingRecord[],
    partitions: Iterable<number>,
  ): Promise<void> {
    const updatedMs = Date.now();
    const all = monotonicMs() - this.#refreshedMs > REFRESH_MS;
    await this.#write({ ...replay, updatedMs }, records, all ? replay.partitions.keys() : partitions);
    if (all) this.#refreshedMs = monotonicMs();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#writing.then(work);
    this.#writing = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    await this.#producer.close();
  }

  #begun(): StoredReplay {
    if (this.#replay === undefined) throw new Error('a journal is written to that was not begun');
    return this.#replay;
  }

  async #write(
    replay: StoredReplay,
    records: readonly OutgoingRecord[],
    partitions: Iterable<number>,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const written = [...new Set([headOf(replay.partitions), ...partitions])];
    const source = {
      groupId: replayGroup(this.id),
      membership: NO_MEMBER,
      topic: replay.spec.topic,
      partitions: written.map((partition) => ({ partition, ...encodeEntry(replay, partition) })),
    };
    try {
      await this.#producer.send(source, records);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
    this.#replay = replay;
  }
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
    const replay = decoded(id, committed);
    if (replay !== undefined) return replay;
  }
  return undefined;
}

function decoded(id: string, committed: Parameters<typeof decodeReplay>[1]): StoredReplay | undefined {
  try {
    return decodeReplay(id, committed);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FatalKafkaError(error.message, { cause: error });
  }
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

function moved(
  { partitions }: StoredReplay,
  positions: ReadonlyMap<number, bigint>,
): StoredReplay['partitions'] {
  const all = new Map(partitions);
  for (const [partition, position] of positions) {
    const range = all.get(partition);
    if (range === undefined) throw new Error(`partition ${partition} is not part of the replay`);
    all.set(partition, { ...range, position });
  }
  return all;
}
