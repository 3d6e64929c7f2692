/** A span of time, in ms since the epoch. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const TICK_MS = 100;
/** Delay of a timer on a machine that is merely busy, in ms. */
const LATE_MS = 250;

/**
 * Measures stalls of the host by the delay of a timer in this process. Only measured and planned stalls excuse a
 * process that was too slow.
 */
export class StallWatch {
  readonly stalls: Span[] = [];
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    let due = Date.now() + TICK_MS;
    this.#timer = setInterval(() => {
      const now = Date.now();
      if (now - due >= LATE_MS) this.stalls.push({ fromMs: due, toMs: now });
      due = now + TICK_MS;
    }, TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

export function overlaps(a: Span, b: Span): boolean {
  return a.fromMs <= b.toMs && b.fromMs <= a.toMs;
}

/** Length of the overlap, in ms. */
export function common(a: Span, b: Span): number {
  return Math.max(0, Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs));
}
