import type { Logger } from 'pino';
import { monotonicMs } from '../../time/clock.ts';
import type { TopicTrouble } from './topic-trouble.ts';

/** A present fault, for the status and metrics. */
export interface LastingTrouble extends TopicTrouble {
  /** Duration in seconds. */
  readonly seconds: number;
}

interface Met {
  readonly trouble: TopicTrouble;
  readonly sinceMs: number;
  lastMs: number;
  toldMs: number;
}

/** Interval between log lines per topic, however many partitions meet the fault. */
const LOG_EVERY_MS = 60_000;
/** A fault not met for this long is dropped: its partition may have moved to another process. */
const FORGOTTEN_MS = 60_000;

/** Present topic faults of this process: logged, and shown in status and metrics. */
export class TopicTroubles {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #met = new Map<string, Met>();

  constructor(log: Logger, now: () => number = monotonicMs) {
    this.#log = log;
    this.#now = now;
  }

  /** @param effect what waits, and what does not */
  met(trouble: TopicTrouble, effect: string): void {
    const now = this.#now();
    const before = this.#met.get(trouble.topic);
    const isSame = before?.trouble.kind === trouble.kind && now - before.lastMs < FORGOTTEN_MS;
    const met: Met = {
      trouble,
      sinceMs: isSame ? before.sinceMs : now,
      lastMs: now,
      toldMs: isSame ? before.toldMs : Number.NEGATIVE_INFINITY,
    };
    this.#met.set(trouble.topic, met);
    if (now - met.toldMs < LOG_EVERY_MS) return;
    met.toldMs = now;
    this.#log.error({ topic: trouble.topic, trouble: trouble.kind }, `${trouble.message}. ${effect}`);
  }

  /** The topic's fault is over. */
  over(topic: string): void {
    const met = this.#met.get(topic);
    if (met === undefined) return;
    this.#met.delete(topic);
    const seconds = Math.round((this.#now() - met.sinceMs) / 1000);
    this.#log.info(
      { topic, trouble: met.trouble.kind, seconds },
      'the topic can be used again; what waited for it goes on',
    );
  }

  get current(): readonly LastingTrouble[] {
    const now = this.#now();
    return [...this.#met.values()]
      .filter(({ lastMs }) => now - lastMs < FORGOTTEN_MS)
      .map(({ trouble, sinceMs }) => ({ ...trouble, seconds: Math.round((now - sinceMs) / 1000) }));
  }
}
