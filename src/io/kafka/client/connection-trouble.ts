import type { Logger } from 'pino';
import { errorMessage } from '../../../core/model/errors.ts';
import { certificateFault, plainTlsMessage } from '../../credentials/certificate-fault.ts';
import { monotonicMs } from '../../time/clock.ts';

/** Interval between log lines about the same trouble, in ms. */
const LOG_EVERY_MS = 10_000;
/** Trouble not seen for this long is over, in ms. */
const OVER_AFTER_MS = 60_000;

/** Finds the mismatch between a broker's listener and the settings; undefined: none found. */
type Diagnose = (broker: string) => Promise<string | undefined>;

/** `host:port`; anything else is a URL. */
const BROKER = /^[^/]+:\d+$/;

interface Trouble {
  count: number;
  seenMs: number;
  loggedMs: number;
}

/**
 * Logs why connections to brokers fail: kafkajs retries without a word.
 *
 * The first failure of a kind is not logged: it may be a broker that restarts, and at start-up the command itself
 * reports it.
 */
export class ConnectionTrouble {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #diagnose: Diagnose;
  readonly #troubles = new Map<string, Trouble>();

  /** @param diagnose probes a broker's listener; default: none */
  constructor(log: Logger, now: () => number = monotonicMs, diagnose: Diagnose = async () => undefined) {
    this.#log = log;
    this.#now = now;
    this.#diagnose = diagnose;
  }

  /** A connection to `where` (`host:port`, or the URL of the token endpoint) was not made, or broke. */
  failed(where: string, error: unknown): void {
    const message = plainTlsMessage(errorMessage(error));
    const key = `${where} ${message}`;
    const now = this.#now();
    for (const [other, { seenMs }] of this.#troubles) {
      if (now - seenMs > OVER_AFTER_MS) this.#troubles.delete(other);
    }
    const trouble = this.#troubles.get(key) ?? { count: 0, seenMs: now, loggedMs: Number.NEGATIVE_INFINITY };
    trouble.count += 1;
    trouble.seenMs = now;
    this.#troubles.set(key, trouble);
    if (trouble.count === 1 || now - trouble.loggedMs < LOG_EVERY_MS) return;
    trouble.loggedMs = now;
    const advice = certificateFault(error);
    this.#log.warn(
      { where, error: message, attempts: trouble.count, ...(advice === undefined ? {} : { advice }) },
      `no connection to ${where}; trying again until it succeeds`,
    );
    if (advice === undefined && BROKER.test(where)) void this.#explain(where);
  }

  async #explain(broker: string): Promise<void> {
    const mismatch = await this.#diagnose(broker).catch(() => undefined);
    if (mismatch !== undefined) this.#log.warn({ where: broker }, mismatch);
  }
}
