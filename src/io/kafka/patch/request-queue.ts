import { monotonicMs } from '../../time/clock.ts';
import { LOGIN_REQUESTS } from './connection.ts';

interface PushedRequest {
  readonly entry: { readonly apiKey: number };
  readonly requestTimeout?: number | null;
}

interface SocketRequest {
  /** In ms. */
  requestTimeout: number;
  timeoutRequest(): void;
}

/** kafkajs' `RequestQueue`, as far as its scheduling needs it. */
interface RequestQueue {
  readonly pending: unknown[];
  readonly inflight: ReadonlyMap<number, SocketRequest>;
  readonly maxInFlightRequests: number | null;
  /** In ms. */
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  requestTimeoutIntervalId: NodeJS.Timeout | undefined;
  /** By `monotonicMs` in this subclass. */
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  isConnected(): boolean;
  destroy(): void;
  sendSocketRequest(request: SocketRequest): void;
  checkPendingRequests(): void;
  waitForPendingRequests(): Promise<void>;
  createSocketRequest(pushed: PushedRequest): SocketRequest;
}

/** Interval between checks of waiting requests, in ms, as in kafkajs. */
const CHECK_INTERVAL_MS = 10;
/** Longest interval between timeout checks, in ms, as in kafkajs. */
const TIMEOUT_CHECK_MS = 100;

/**
 * kafkajs' request queue with these changes.
 *
 * - One listener for its end. When a broker dies, many callers close its connection at once and wait for its requests;
 *   the original adds a listener for each, of which Node warns.
 * - A timer runs only while requests wait. The original passes past times to setTimeout, of which Node 24 warns, and
 *   sets the timer again each time, with nothing waiting: a wake-up per millisecond and connection.
 * - Timeouts and throttling go by a monotonic clock. In the original all requests time out when the system's time steps
 *   ahead, and when it steps back by an hour none does for an hour, and a throttled connection stays silent as long.
 * - Login requests have their own timeout. In the original no request has less than the connection's.
 */
export function patchRequestQueue(Original: new (...args: never[]) => RequestQueue): unknown {
  return class PatchedRequestQueue extends Original {
    #empty: Promise<void> | undefined;
    /** Send time of requests in flight, by `monotonicMs`. */
    readonly #sentMs = new WeakMap<SocketRequest, number>();

    override waitForPendingRequests(): Promise<void> {
      this.#empty ??= super.waitForPendingRequests().finally(() => {
        this.#empty = undefined;
      });
      return this.#empty;
    }

    override createSocketRequest(pushed: PushedRequest): SocketRequest {
      const request = super.createSocketRequest(pushed);
      if (LOGIN_REQUESTS.has(pushed.entry.apiKey))
        request.requestTimeout = pushed.requestTimeout ?? request.requestTimeout;
      return request;
    }

    override sendSocketRequest(request: SocketRequest): void {
      this.#sentMs.set(request, monotonicMs());
      super.sendSocketRequest(request);
    }

    scheduleRequestTimeoutCheck(): void {
      if (!this.enforceRequestTimeout) return;
      this.destroy();
      const check = () => {
        const now = monotonicMs();
        for (const request of this.inflight.values()) {
          if (now - this.#sentMs.get(request)! > request.requestTimeout) request.timeoutRequest();
        }
        if (!this.isConnected()) this.destroy();
      };
      this.requestTimeoutIntervalId = setInterval(check, Math.min(this.requestTimeout, TIMEOUT_CHECK_MS));
    }

    maybeThrottle(ms: number | null): void {
      if (ms !== null && ms > 0) this.throttledUntil = Math.max(this.throttledUntil, monotonicMs() + ms);
    }

    canSendSocketRequestImmediately(): boolean {
      const { maxInFlightRequests, inflight } = this;
      const isFull = maxInFlightRequests !== null && inflight.size >= maxInFlightRequests;
      return !isFull && this.throttledUntil <= monotonicMs();
    }

    scheduleCheckPendingRequests(): void {
      if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
      const delay = Math.max(this.throttledUntil - monotonicMs(), CHECK_INTERVAL_MS);
      this.throttleCheckTimeoutId = setTimeout(() => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      }, delay);
    }
  };
}
