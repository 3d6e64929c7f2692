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

/** The state of kafkajs' `RequestQueue` that its scheduling looks at. */
interface RequestQueue {
  readonly pending: unknown[];
  readonly inflight: ReadonlyMap<number, SocketRequest>;
  readonly maxInFlightRequests: number | null;
  /** In ms. */
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  requestTimeoutIntervalId: NodeJS.Timeout | undefined;
  /** By `monotonicMs`, here. */
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  isConnected(): boolean;
  destroy(): void;
  sendSocketRequest(request: SocketRequest): void;
  checkPendingRequests(): void;
  waitForPendingRequests(): Promise<void>;
  createSocketRequest(pushed: PushedRequest): SocketRequest;
}

/** Milliseconds after which a waiting request is looked at again. kafkajs uses the same. */
const CHECK_INTERVAL_MS = 10;
/** How often at least unanswered requests are looked at. kafkajs uses the same. */
const TIMEOUT_CHECK_MS = 100;

/**
 * kafkajs' request queue without its restless timer, and with one listener for its end.
 *
 * Each of the many that give up a connection when a broker dies waits for its requests; the original adds a listener for
 * each, which Node warns of.
 *
 * The original hands a past time to setTimeout, which Node 24 warns of, and sets a new timer each time one
 * has run, with nothing waiting: a wake-up every millisecond and connection. Here a timer runs only while
 * requests wait.
 *
 * Time limits and throttling go by a clock that is not set. With the original's all requests time out when the system's
 * time steps ahead, and none does for an hour when it steps back by one; a throttled connection is then silent for as long.
 *
 * The first words on a connection have the time that they ask for. The original gives them that of any request at least.
 */
export function patchRequestQueue(Original: new (...args: never[]) => RequestQueue): unknown {
  return class PatchedRequestQueue extends Original {
    #empty: Promise<void> | undefined;
    /** When the requests in flight were sent. */
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
