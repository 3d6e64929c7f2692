import type { Logger } from 'pino';
import { errorMessage } from '../../core/model/errors.ts';
import { certificateFault, plainTlsMessage } from '../credentials/certificate-fault.ts';
import { monotonicMs } from '../time/clock.ts';

/** While trouble lasts, one line about it in this time. */
const LOG_EVERY_MS = 10_000;
/** Trouble that was not met for this long has ended. */
const OVER_AFTER_MS = 60_000;

/** Why a broker cannot be spoken to as it is; undefined where it does not tell. */
type Diagnose = (broker: string) => Promise<string | undefined>;

/** `host:port`; other places are URLs. */
const BROKER = /^[^/]+:\d+$/;

interface Trouble {
  count: number;
  seenMs: number;
  loggedMs: number;
}

/**
 * Says what keeps connections to the brokers from being made. kafkajs tries again in silence.
 *
 * The first failure of a kind is no trouble yet: it may be a broker that restarts, and at the start of a command
 * the command itself reports it.
 */
export class ConnectionTrouble {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #diagnose: Diagnose;
  readonly #troubles = new Map<string, Trouble>();

  /** @param diagnose asks a broker what it is that it wants; default: nobody is asked */
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
