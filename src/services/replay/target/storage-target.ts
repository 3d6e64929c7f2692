import type { PoisonError, RetryableError } from '../../../core/model/errors.ts';
import type { TlsSettings } from '../../../core/options/tls.ts';
import { samplesIn } from '../../../core/wire/series-walk.ts';
import { RemoteWriteClient, type RemoteWriteRequest } from '../../../io/remote-write/client.ts';
import { DeliveryStoppedError, deliver, type Refused } from '../../../io/remote-write/deliver.ts';
import { HttpRetryableError, RefusesAllError } from '../../../io/remote-write/errors.ts';
import type { NodeLoginOptions } from '../../../io/remote-write/login.ts';
import type { Journal } from '../journal.ts';
import { Patience } from './patience.ts';
import { type BodySource, joined, type RemoteWriteBody } from './remote-write-bodies.ts';
import { Tally } from './tally.ts';
import {
  type ReplayChunk,
  type ReplayCounts,
  type ReplayStep,
  type ReplayTarget,
  WrongTargetError,
} from './target.ts';

export interface StorageTargetOptions {
  /** Complete URL of a remote-write endpoint. */
  readonly url: string;
  /** Most requests in flight; a source partition has one at a time. */
  readonly concurrency: number;
  /** Milliseconds until an unanswered request is given up, and tried again. */
  readonly timeoutMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  readonly userAgent: string;
  readonly login?: NodeLoginOptions;
  readonly tls?: TlsSettings | undefined;
  /** Ends waiting and requests in flight: the replay ends at once. */
  readonly signal: AbortSignal;
  /** The replay stops: the step is finished if storage takes it, else given up. */
  readonly stop: AbortSignal;
  readonly onRetry: (error: RetryableError) => void;
  readonly onTaken: () => void;
  /** Storage refuses a series for good. Told of the first of each reason; all are counted. */
  readonly onRefusal: (error: PoisonError) => void;
}

interface StepInHand {
  readonly signal: AbortSignal;
  readonly patience: Patience;
}

/** The part of the journal that stores positions. */
export type PositionStore = Pick<Journal, 'commit'>;

/** Status codes that mean a wrong URL or login if nothing was taken before: waiting does not fix that. */
const WRONG_ADDRESS = new Set([401, 402, 403, 404, 405, 406, 407]);

/**
 * Remote write to storage, with the samples' own times. Positions are stored after the last 2xx of a step, so what a
 * crash repeats are samples that storage has already, with the same time and value.
 */
export class StorageTarget implements ReplayTarget {
  readonly #options: StorageTargetOptions;
  readonly #bodies: BodySource;
  readonly #positions: PositionStore;
  readonly #client: RemoteWriteClient;
  readonly #refusals = new Set<string>();
  /** Storage has taken a request: URL and login are right. */
  #accepted = false;

  /** @throws ConfigError when a certificate or key file cannot be used */
  constructor(options: StorageTargetOptions, bodies: BodySource, positions: PositionStore) {
    this.#options = options;
    this.#bodies = bodies;
    this.#positions = positions;
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
    const sender = async () => {
      for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
        await this.#send(chunk, tally, { signal, patience });
      }
    };
    const senders = Array.from({ length: Math.min(this.#options.concurrency, chunks.length) }, () =>
      sender().catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    );
    const ended = await Promise.allSettled(senders);
    patience.close();
    const errors = ended.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    // Prefers the first failure to the senders that it has stopped.
    if (errors.length > 0)
      throw errors.find((error) => !(error instanceof DeliveryStoppedError)) ?? errors[0];
    await this.#positions.commit({ positions, counts: tally });
    return tally;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Sends one partition, one request after the other. */
  async #send({ records }: ReplayChunk, tally: Tally, step: StepInHand): Promise<void> {
    for (const body of joined(this.#bodies.of(records, tally))) {
      const refused = await this.#deliver(body, step);
      const [first] = refused;
      if (body.parts.length === 1 || first?.body !== body.body) this.#count(body, refused, tally);
      // The joined body could not be split since a part is damaged: the parts are sent alone.
      else for (const part of body.parts) this.#count(part, await this.#deliver(part, step), tally);
    }
    tally.records += records.length;
  }

  async #deliver(body: RemoteWriteBody, { signal, patience }: StepInHand): Promise<Refused[]> {
    const { backoffMinMs, backoffMaxMs, onRetry } = this.#options;
    let over: (() => void) | undefined;
    try {
      return await deliver(body, {
        send: async (request, cut) => {
          const code = await this.#attempt(request, cut);
          over?.();
          over = undefined;
          patience.answered();
          return code;
        },
        backoffMinMs,
        backoffMaxMs,
        signal,
        active: () => !signal.aborted,
        onRetry: (error) => {
          over ??= patience.retrying();
          onRetry(error);
        },
      });
    } finally {
      over?.();
    }
  }

  #count({ samples }: RemoteWriteBody, refused: readonly Refused[], tally: Tally): void {
    let lost = 0;
    for (const { body, error } of refused) {
      if (!this.#refusals.has(error.reason)) this.#options.onRefusal(error);
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
      this.#options.onTaken();
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
