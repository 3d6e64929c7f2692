import { randomBytes } from 'node:crypto';
import { ConfigError, RetryableError } from '../../core/model/errors.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../io/kafka/client/connection.ts';
import {
  FatalKafkaError,
  isConnectionTrouble,
  isRefused,
  isTakenOver,
  kafkaErrorType,
} from '../../io/kafka/errors.ts';
import { BatchLimit } from '../../io/kafka/produce/send-rounds.ts';
import { Backoff, sleep, within } from '../../io/time/sleep.ts';
import { isStopRequested, Journal, readReplay } from './journal.ts';
import { type ReplayEnd, type StepEvents, type StepOptions, writeSteps } from './steps.ts';
import { replayGroup, type StoredReplay } from './stored-replay.ts';
import type { ReplayCounts, ReplayTarget } from './target/target.ts';

export interface ReplayRun extends Omit<StepOptions, 'events' | 'assertWorking'> {
  /** Resumes the replay; false: it must not exist yet. */
  readonly resumed: boolean;
  /**
   * Opens the target, at the start and after each error, each time with a newly opened journal. State that must live
   * longer, such as caches and decoders, belongs outside of it.
   */
  readonly openTarget: (journal: Journal) => Promise<ReplayTarget>;
  /** The broker ends an open transaction after this, in ms. */
  readonly transactionTimeoutMs: number;
  /** Waits while workers and drains lag more than `most` records. */
  readonly live?: { readonly lag: () => Promise<number>; readonly most: number } | undefined;
  readonly events: ReplayEvents;
}

/** Receives the events of a replay. */
export interface ReplayEvents extends Pick<StepEvents, 'gap'> {
  /** It starts, or resumes after an error, at these positions. */
  opened(partitions: StoredReplay['partitions']): void;
  /** A step is written and stored, and has come so far. */
  written(counts: ReplayCounts, partitions: StoredReplay['partitions']): void;
  /** Something failed that a retry may fix. */
  retrying(error: unknown): void;
  /** It waits for the live flow, which lags by so many records; undefined: it goes on. */
  yields(lag: number | undefined): void;
  /** Another process asks it to stop. */
  stopRequested(): void;
}

/** Another process goes on with the replay. */
export class TakenOverError extends FatalKafkaError {
  constructor(id: string) {
    super(
      `replay ${id} was resumed by another process, which goes on where this one was; this one ends. ` +
        'Nothing is lost or written twice into Kafka by that',
    );
  }
}

/** Attempts in a row at errors of Kafka that are not failures of the connection. */
const ATTEMPTS = 6;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;
/** Pause after being fenced, in ms: by then the process that has taken over has stored that. */
const TAKE_OVER_MS = 3_000;
/** Time until a committed transaction is visible everywhere, in ms. */
const SETTLED_MS = 2_000;
/** Interval at which requests to stop, and the lag of the live flow, are looked for. */
const LOOK_MS = 2_000;
/** Time for these looks to end, in ms. */
const LOOKS_END_MS = 5_000;

/**
 * A replay: opens journal and target, and writes step after step until the ends of the ranges. After any error
 * everything is opened again and resumes from what is stored, since it is unknown what became of the step. While Kafka
 * or the target is down it waits.
 */
export class Replay {
  readonly #connection: KafkaConnection;
  readonly #admin: KafkaAdmin;
  readonly #options: ReplayRun;
  /** What is known of it: as it is to begin, then as this process last stored it. */
  #replay: StoredReplay;
  /** It is stored that this process runs the replay. */
  begun = false;
  readonly #limit = new BatchLimit();
  /** Number of errors since the last step that was written. */
  #failures = 0;
  readonly #backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);

  /** @param replay a new one, or one as it is stored */
  constructor(connection: KafkaConnection, admin: KafkaAdmin, replay: StoredReplay, options: ReplayRun) {
    this.#connection = connection;
    this.#admin = admin;
    this.#replay = { ...replay, run: randomBytes(6).toString('hex') };
    this.#options = options;
  }

  /** The replay, as this process last stored it. */
  get stored(): StoredReplay {
    return this.#replay;
  }

  /** @throws errors that a retry does not fix, such as FatalKafkaError and ConfigError */
  async run(): Promise<ReplayEnd> {
    const ended = new AbortController();
    const { live, pace, events } = this.#options;
    const looks: Promise<void>[] = [];
    try {
      if (live !== undefined) {
        const look = async () => {
          const lag = await live.lag();
          pace.yielding = lag > live.most;
          events.yields(pace.yielding ? lag : undefined);
        };
        await look();
        looks.push(watch(look, ended.signal));
      }
      const lookForStop = async () => {
        if (await isStopRequested(this.#admin, this.#replay)) events.stopRequested();
      };
      looks.push(watch(lookForStop, ended.signal));
      return await this.#sessions();
    } finally {
      ended.abort();
      // A client that gets a request after it was closed connects again.
      await within(Promise.allSettled(looks), LOOKS_END_MS);
    }
  }

  /** Deletes the replay from Kafka if it has stored no step. @returns whether it is deleted */
  async forget(): Promise<boolean> {
    if (!this.begun || this.#replay.counts.records > 0) return false;
    const client = await this.#admin.client();
    return await client.deleteGroups([replayGroup(this.#replay.id)]).then(
      () => true,
      () => false,
    );
  }

  async #sessions(): Promise<ReplayEnd> {
    const { stop, events } = this.#options;
    for (;;) {
      try {
        return await this.#session();
      } catch (error) {
        if (stop.aborted) return 'stopped';
        this.#failures += 1;
        if (!this.#isPassing(error, this.#failures)) throw error;
        const takenOver = isTakenOver(error);
        if (!takenOver) events.retrying(error);
        await sleep(takenOver ? TAKE_OVER_MS : this.#backoff.next(), stop);
        if (stop.aborted) return 'stopped';
      }
    }
  }

  /** A journal and a target, until the next error. */
  async #session(): Promise<ReplayEnd> {
    const journal = await this.#open();
    let ends = false;
    try {
      return await this.#write(journal);
    } catch (error) {
      ends = !this.#isPassing(error, this.#failures + 1);
      throw error;
    } finally {
      await journal.close(ends || this.#options.stop.aborted).catch(() => undefined);
      this.#replay = journal.replay;
    }
  }

  async #open(): Promise<Journal> {
    const { transactionTimeoutMs, nowMs } = this.#options;
    // Opening fences the current owner, which must not happen to a process that has taken the replay over.
    if (this.begun && (await this.#isAnothers())) throw new TakenOverError(this.#replay.id);
    const options = { transactionTimeoutMs, limit: this.#limit, nowMs };
    const choose = (stored: StoredReplay | undefined) => this.#choose(stored);
    const journal = await Journal.open(this.#connection, this.#admin, this.#replay, choose, options);
    this.begun = true;
    this.#replay = journal.replay;
    return journal;
  }

  /** What to begin with, or to go on with, given what is stored. */
  #choose(stored: StoredReplay | undefined): StoredReplay {
    const { id, run } = this.#replay;
    if (stored?.run === run) return stored;
    if (this.begun) throw stored === undefined ? this.#forgotten() : new TakenOverError(id);
    if (stored !== undefined && !this.#options.resumed)
      throw new FatalKafkaError(`replay ${id} was begun by another process just now; choose another --id`);
    return stored ?? this.#replay;
  }

  /** Whether another process runs the replay. Reads twice: a commit becomes visible only a moment after its end. */
  async #isAnothers(): Promise<boolean> {
    const { id, run } = this.#replay;
    const look = async () => {
      const stored = await readReplay(this.#admin, id);
      return stored !== undefined && stored.run !== run;
    };
    if (!(await look())) return false;
    await sleep(SETTLED_MS);
    return await look();
  }

  /** Error for a replay that Kafka has expired, which is neither taken over nor never begun. */
  #forgotten(): FatalKafkaError {
    const { id, partitions } = this.#replay;
    const positions = [...partitions].map(([partition, { position }]) => `${partition}:${position}`);
    return new FatalKafkaError(
      `Kafka has forgotten replay ${id} while it waited (offsets.retention.minutes of the brokers, or its group was ` +
        `deleted). As far as this process knows it was, as partition:offset, at ${positions.join(', ')}; begin a new one from there`,
    );
  }

  async #write(journal: Journal): Promise<ReplayEnd> {
    const { events } = this.#options;
    const { spec, partitions } = journal.replay;
    const target = await this.#options.openTarget(journal);
    try {
      events.opened(partitions);
      return await writeSteps(this.#connection, this.#admin, { spec, partitions }, target, {
        ...this.#options,
        assertWorking: () => journal.assertWorking(),
        events: {
          gap: (gap) => events.gap(gap),
          written: (counts) => {
            this.#failures = 0;
            this.#backoff.reset();
            events.written(counts, journal.replay.partitions);
          },
        },
      });
    } finally {
      await target.close?.().catch(() => undefined);
    }
  }

  /** Whether a retry may fix an error. @param failures number of errors in a row, this one included */
  #isPassing(error: unknown, failures: number): boolean {
    if (error instanceof FatalKafkaError || error instanceof ConfigError || isRefused(error)) return false;
    if (isConnectionTrouble(error) || error instanceof RetryableError) return true;
    const isKafkas =
      kafkaErrorType(error) !== '' || (error instanceof Error && error.name.startsWith('KafkaJS'));
    return isKafkas && failures < ATTEMPTS;
  }
}

/** Looks at intervals until `ended`. Errors are ignored: Kafka may be away. */
async function watch(look: () => Promise<void>, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await look().catch(() => undefined);
    await sleep(LOOK_MS, ended);
  }
}
