import { type Cause, SLACK_MS } from './causes.ts';
import type { Span } from './stalls.ts';

/** A request that was accepted twice. The span is from the first arrival at the gate to the second. */
export interface Repeat extends Span {
  /** Description for the report. */
  readonly where: string;
  /** The drain had received the first answer. */
  readonly answered: boolean;
  /** The first request timed out (`isSlow`). That alone explains the repeat. */
  readonly slow: boolean;
}

/**
 * Matches the repeats of one partition with the crashes and hangs of its node.
 *
 * A partition has one request in flight, so each cause repeats one at most; and it must lie between the two arrivals.
 * So this is a maximum matching of repeats and causes: the rest has no cause.
 *
 * @returns the repeats that no cause explains; of those that compete for one, the last
 */
export function withoutCause(repeats: readonly Repeat[], causes: readonly Cause[]): Repeat[] {
  /** The repeat that each cause explains. */
  const taken = new Map<Cause, Repeat>();
  /** Finds a cause, if need be by moving other repeats to other causes (Kuhn's algorithm). */
  const explain = (repeat: Repeat, tried: Set<Cause>): boolean => {
    for (const cause of causes) {
      if (tried.has(cause) || !explains(cause, repeat)) continue;
      tried.add(cause);
      const other = taken.get(cause);
      if (other === undefined || explain(other, tried)) {
        taken.set(cause, repeat);
        return true;
      }
    }
    return false;
  };
  return repeats.filter((repeat) => !explain(repeat, new Set()));
}

function explains(cause: Cause, { fromMs, toMs, answered }: Repeat): boolean {
  if (answered && cause.of !== 'drain') return false;
  return cause.fromMs <= toMs && cause.toMs >= fromMs - SLACK_MS;
}
