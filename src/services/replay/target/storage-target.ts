import { errorMessage, type PoisonError } from '../../../core/model/errors.ts';
import { samplesIn } from '../../../core/wire/series-walk.ts';
import {
  RemoteWriteClient,
  type RemoteWriteClientOptions,
  type RemoteWriteRequest,
} from '../../../io/remote-write/client.ts';
import { DeliveryStoppedError, deliver, type Refused } from '../../../io/remote-write/deliver.ts';
import { HttpRetryableError, RefusesAllError } from '../../../io/remote-write/errors.ts';
import { monotonicMs } from '../../../io/time/clock.ts';
import type { Journal } from '../journal.ts';
import { type BodySource, joined, type RemoteWriteBody } from './remote-write-bodies.ts';
import {
  type ReplayChunk,
  type ReplayCounts,
  type ReplayStep,
  type ReplayTarget,
  Tally,
  WrongTargetError,
} from './target.ts';

export interface StorageTargetOptions extends RemoteWriteClientOptions {
  /** Most requests in flight; a source partition has one at a time. */
  readonly concurrency: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Ends waiting and requests in flight: the replay ends at once. */
  readonly signal: AbortSignal;
  /** The replay stops: the step is finished if storage takes it, else given up. */
  readonly stop: AbortSignal;
  readonly notes: Pick<StorageNotes, 'retried' | 'taken' | 'refused'>;
}

/** Status codes that mean a wrong URL or login if nothing was taken before: waiting does not fix that. */
const WRONG_ADDRESS = new Set([401, 402, 403, 404, 405, 406, 407]);

/**
 * Remote write to storage, with the samples' own times. Positions are stored after the last 2xx of a step, so what a
 * crash repeats are samples that storage has already, with the same time and value.
 */
export class StorageTarget implements ReplayTarget {
  readonly #options: StorageTargetOptions;
  readonly #bodies: BodySource;
  readonly #journal: Pick<Journal, 'store'>;
  readonly #client: RemoteWriteClient;
  readonly #refusals = new Set<string>();
  /** Storage has taken a request: URL and login are right. */
  #accepted = false;

  /** @throws ConfigError when a certificate or key file cannot be used */
  constructor(options: StorageTargetOptions, bodies: BodySource, journal: Pick<Journal, 'store'>) {
    this.#options = options;
    this.#bodies = bodies;
    this.#journal = journal;
    this.#client = new RemoteWriteClient(options);
  }

  /**
   * @throws DeliveryStoppedError when the signal ended it
   * @throws WrongTargetError when an answer before the first accepted request means a wrong URL or login
   */
  async write({ chunks, positions }: ReplayStep): Promise<ReplayCounts> {
    const tally = new Tally();
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, failed.signal]);
    const patience = new Patience(this.#options.stop, () => failed.abort());
    const waiting = [...chunks];
    let first: unknown;
    const sender = async () => {
      try {
        for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift())
          await this.#send(chunk, tally, signal, patience);
      } catch (error) {
        // The first failure, not the senders that it has stopped.
        if (first === undefined || first instanceof DeliveryStoppedError) first = error;
        failed.abort();
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#options.concurrency, chunks.length) }, sender));
    patience.close();
    if (first !== undefined) throw first;
    await this.#journal.store({ positions, counts: tally });
    return tally;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Sends one partition, one request after the other. */
  async #send(
    { records }: ReplayChunk,
    tally: Tally,
    signal: AbortSignal,
    patience: Patience,
  ): Promise<void> {
    const take = (body: RemoteWriteBody) => this.#deliver(body, signal, patience);
    for (const body of joined(this.#bodies(records, tally))) {
      const refused = await take(body);
      const [first] = refused;
      if (body.parts.length === 1 || first?.body !== body.body) this.#count(body, refused, tally);
      // The joined body could not be split since a part is damaged: the parts are sent alone.
      else for (const part of body.parts) this.#count(part, await take(part), tally);
    }
    tally.records += records.length;
  }

  async #deliver(body: RemoteWriteBody, signal: AbortSignal, patience: Patience): Promise<Refused[]> {
    const { backoffMinMs, backoffMaxMs, notes } = this.#options;
    try {
      return await deliver(body, {
        send: async (request, cut) => {
          const code = await this.#attempt(request, cut);
          patience.answered(body);
          return code;
        },
        backoffMinMs,
        backoffMaxMs,
        signal,
        active: () => !signal.aborted,
        onRetry: (error) => {
          patience.retrying(body);
          notes.retried(error);
        },
      });
    } finally {
      patience.ended(body);
    }
  }

  #count({ samples }: RemoteWriteBody, refused: readonly Refused[], tally: Tally): void {
    let lost = 0;
    for (const { body, error } of refused) {
      if (!this.#refusals.has(error.reason)) this.#options.notes.refused(error);
      this.#refusals.add(error.reason);
      tally.refuse(error.reason);
      lost += samplesIn(body) ?? samples;
    }
    tally.samples += Math.max(0, samples - lost);
  }

  async #attempt(request: RemoteWriteRequest, signal: AbortSignal): Promise<number> {
    try {
      const code = await this.#client.send(request, signal);
      this.#accepted = true;
      this.#options.notes.taken();
      return code;
    } catch (error) {
      if (!this.#accepted && isWrongAddress(error)) throw wrongAddress(error);
      throw error;
    }
  }
}

/** Whether an answer means a wrong URL or login; asked only until storage has taken a request. */
function isWrongAddress(error: unknown): error is HttpRetryableError {
  return (
    error instanceof RefusesAllError || (error instanceof HttpRetryableError && WRONG_ADDRESS.has(error.code))
  );
}

function wrongAddress({ message }: Error): WrongTargetError {
  return new WrongTargetError(
    `--to-storage: ${message}; expected the URL of a remote-write endpoint, such as ` +
      'http://victoria-metrics:8428/api/v1/write, and a login that it takes (replay.storage)',
  );
}

/** Once the replay is told to stop, storage that has not answered for this long, in ms, is given up. */
const SILENCE_MS = 2_000;
const LOOK_MS = 200;

/**
 * Decides whether a replay that was told to stop may finish its step: as long as storage takes it. A step that waits
 * for storage which is down would hold up the end until the deadline, and then be given up all the same.
 */
class Patience {
  readonly #stop: AbortSignal;
  readonly #giveUp: () => void;
  readonly #nowMs: () => number;
  /** Bodies that are tried again. */
  readonly #waiting = new Set<RemoteWriteBody>();
  #timer: NodeJS.Timeout | undefined;
  #heardMs = 0;
  readonly #begin = () => this.#watch();

  /** @param giveUp called at most once, after `stop` */
  constructor(stop: AbortSignal, giveUp: () => void, nowMs = monotonicMs) {
    this.#stop = stop;
    this.#giveUp = giveUp;
    this.#nowMs = nowMs;
    if (stop.aborted) this.#begin();
    else stop.addEventListener('abort', this.#begin, { once: true });
  }

  /** A request with (a part of) the body was taken. */
  answered(body: RemoteWriteBody): void {
    this.#heardMs = this.#nowMs();
    this.#waiting.delete(body);
  }

  retrying(body: RemoteWriteBody): void {
    this.#waiting.add(body);
  }

  ended(body: RemoteWriteBody): void {
    this.#waiting.delete(body);
  }

  close(): void {
    this.#stop.removeEventListener('abort', this.#begin);
    clearInterval(this.#timer);
  }

  #watch(): void {
    this.#heardMs = this.#nowMs();
    this.#timer = setInterval(() => {
      if (this.#waiting.size === 0 && this.#nowMs() - this.#heardMs < SILENCE_MS) return;
      this.close();
      this.#giveUp();
    }, LOOK_MS);
  }
}

/** Interval of messages while storage is down, in ms. */
const SAY_EVERY_MS = 30_000;

/** Reports retries: the first, then one at intervals, and when storage takes samples again; not each of them. */
export class StorageNotes {
  readonly #say: (message: string) => void;
  readonly #nowMs: () => number;
  #saidMs: number | undefined;
  #retries = 0;
  #sinceMs = 0;

  constructor(say: (message: string) => void, nowMs = monotonicMs) {
    this.#say = say;
    this.#nowMs = nowMs;
  }

  retried(error: unknown): void {
    const nowMs = this.#nowMs();
    this.#retries += 1;
    if (this.#saidMs === undefined) {
      this.#sinceMs = nowMs;
      this.#say(`${errorMessage(error)}; trying again`);
    } else if (nowMs - this.#saidMs >= SAY_EVERY_MS) {
      const seconds = Math.round((nowMs - this.#sinceMs) / 1000);
      this.#say(`${errorMessage(error)}; tried ${this.#retries} times in ${seconds} s`);
    } else return;
    this.#saidMs = nowMs;
  }

  taken(): void {
    if (this.#saidMs === undefined) return;
    const seconds = Math.round((this.#nowMs() - this.#sinceMs) / 1000);
    this.#say(`storage takes samples again, after ${seconds} s`);
    this.#saidMs = undefined;
    this.#retries = 0;
  }

  /** Storage refuses a series for good. Told of the first of each reason; all are counted. */
  refused({ message }: PoisonError): void {
    this.#say(`a series is refused for good: ${message}; others like it are counted`);
  }
}
