import { errorMessage, PoisonError, RetryableError } from '../../core/model/errors.ts';
import { halveWriteRequest } from '../../core/wire/halve.ts';
import { compress, uncompress } from '../../core/wire/snappy.ts';
import { monotonicMs } from '../time/clock.ts';
import { Backoff, sleep } from '../time/sleep.ts';
import type { RemoteWriteRequest } from './client.ts';
import { BadHeaderError } from './errors.ts';

/** Largest body that is halved to find the series at fault, in bytes, uncompressed. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

/** Upper bound for Retry-After, in ms, which may come from a wrong clock or a proxy. */
const MOST_RETRY_AFTER_MS = 5 * 60_000;

/** How often a refused record that cannot be halved is sent again. */
const REPEATED_REFUSALS = 1;

/** Part of a record that the node refuses permanently: one series, or a body that cannot be halved. */
export interface Refused {
  readonly body: Buffer;
  readonly error: PoisonError;
}

export interface DeliverOptions {
  /** One attempt. */
  readonly send: (request: RemoteWriteRequest, signal: AbortSignal) => Promise<number>;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Ends waiting and a request under way: the partition is lost, or the process has to end now. */
  readonly signal: AbortSignal;
  /** Once false, no new attempt starts: the process stops. */
  readonly active: () => boolean;
  /** A new value ends the pause before a retry: the node's address or login has changed. Absent: never. */
  readonly generation?: () => number | undefined;
  readonly onRetry: (error: RetryableError, pauseMs: number) => void;
}

/** The process stops before the node has accepted the whole record: nothing is committed. */
export class DeliveryStoppedError extends Error {
  override readonly name = 'DeliveryStoppedError';
}

/**
 * Sends one record's body until the node has accepted all of it that it ever will.
 *
 * Transient failures are retried for as long as it takes. A refused body is halved and each half sent, down to the
 * series at fault, which are returned.
 *
 * @throws DeliveryStoppedError
 */
export async function deliver(request: RemoteWriteRequest, options: DeliverOptions): Promise<Refused[]> {
  return await deliverPart(request, options, REPEATED_REFUSALS);
}

/**
 * @param refusals further refusals needed if the body cannot be halved. The first may come from a node that is just
 *   restarting and then accepts the empty request of the check. For halves it is 0: the whole was refused before.
 */
async function deliverPart(
  request: RemoteWriteRequest,
  options: DeliverOptions,
  refusals: number,
): Promise<Refused[]> {
  const error = await refusalOf(request, options);
  if (error === undefined) return [];
  const halves = error instanceof BadHeaderError ? undefined : halve(request.body);
  if (halves === undefined) {
    if (refusals > 0 && !(error instanceof BadHeaderError))
      return await deliverPart(request, options, refusals - 1);
    return [{ body: request.body, error }];
  }
  const refused: Refused[] = [];
  for (const body of halves) {
    for (const part of await deliverPart({ ...request, body }, options, 0)) refused.push(part);
  }
  return refused;
}

/** Sends a body until it is answered. @returns the refusal; undefined: accepted */
async function refusalOf(
  request: RemoteWriteRequest,
  options: DeliverOptions,
): Promise<PoisonError | undefined> {
  try {
    await sendUntilAnswered(request, options);
    return undefined;
  } catch (error) {
    if (error instanceof PoisonError) return error;
    throw error;
  }
}

/** The retry loop around one attempt. */
async function sendUntilAnswered(request: RemoteWriteRequest, options: DeliverOptions): Promise<void> {
  const backoff = new Backoff(options.backoffMinMs, options.backoffMaxMs);
  for (;;) {
    if (!options.active() || options.signal.aborted) throw new DeliveryStoppedError('the drain stops');
    try {
      await options.send(request, options.signal);
      return;
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      if (options.signal.aborted) throw new DeliveryStoppedError(errorMessage(error));
      const pause = Math.max(backoff.next(), Math.min(error.retryAfterMs ?? 0, MOST_RETRY_AFTER_MS));
      options.onRetry(error, pause);
      await pauseWhileActive(pause, options);
    }
  }
}

const STOP_CHECK_MS = 100;

async function pauseWhileActive(ms: number, options: DeliverOptions): Promise<void> {
  const { signal, generation } = options;
  const before = generation?.();
  const active = () => options.active() && generation?.() === before;
  const end = monotonicMs() + ms;
  for (let left = ms; left > 0 && active() && !signal.aborted; left = end - monotonicMs()) {
    await sleep(Math.min(left, STOP_CHECK_MS), signal);
  }
}

function halve(body: Buffer): [Buffer, Buffer] | undefined {
  try {
    const halves = halveWriteRequest(uncompress(body, MAX_BODY_BYTES));
    return halves === undefined ? undefined : [compress(halves[0]), compress(halves[1])];
  } catch (error) {
    if (error instanceof PoisonError) return undefined;
    throw error;
  }
}
