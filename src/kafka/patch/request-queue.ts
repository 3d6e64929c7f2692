import { LOGIN_REQUESTS } from './connection.ts';

interface PushedRequest {
  readonly entry: { readonly apiKey: number };
  readonly requestTimeout?: number | null;
}

interface SocketRequest {
  /** In ms. */
  requestTimeout: number;
}

/** The state of kafkajs' `RequestQueue` that its scheduling looks at. */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  waitForPendingRequests(): Promise<void>;
  createSocketRequest(pushed: PushedRequest): SocketRequest;
}

/** Milliseconds after which a waiting request is looked at again. kafkajs uses the same. */
const CHECK_INTERVAL_MS = 10;

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
 * The first words on a connection have the time that they ask for. The original gives them that of any request at least.
 */
export function quietRequestQueue(Original: new (...args: never[]) => RequestQueue): unknown {
  return class QuietRequestQueue extends Original {
    #empty: Promise<void> | undefined;

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

    scheduleCheckPendingRequests(): void {
      if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
      const delay = Math.max(this.throttledUntil - Date.now(), CHECK_INTERVAL_MS);
      this.throttleCheckTimeoutId = setTimeout(() => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      }, delay);
    }
  };
}
