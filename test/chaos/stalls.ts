/** A time in ms since the epoch, from and to. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const TICK_MS = 100;
/** A timer is this late on a machine that is merely busy. */
const LATE_MS = 250;

/**
 * Measures when the host stood still: how late a timer of this process is. Only what is measured here or planned
 * excuses a process that was too slow.
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

/** How long both last, in ms. */
export function common(a: Span, b: Span): number {
  return Math.max(0, Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs));
}
