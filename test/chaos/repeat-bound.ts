import { type Cause, SLACK_MS } from './causes.ts';
import type { Span } from './stalls.ts';

/** A request that was accepted again. From the first one's arrival at the gate to the second one's. */
export interface Repeat extends Span {
  /** What it was, for people. */
  readonly where: string;
  /** The drain had the first one's answer in hand. */
  readonly answered: boolean;
  /** The drain gave the first one up because it took too long (`isSlow`). That explains it, whatever else does. */
  readonly slow: boolean;
}

/**
 * Holds the repeats of one partition against the crashes and hangs of its node.
 *
 * A partition has one request in flight, so each cause repeats one at most; and it has to have been there between the
 * two arrivals. So repeats and causes are matched, one to one, as many as possible: what is left has no cause.
 *
 * @returns the repeats that no cause explains; of those that compete for one, the last
 */
export function withoutCause(repeats: readonly Repeat[], causes: readonly Cause[]): Repeat[] {
  /** By cause, the repeat that it explains. */
  const taken = new Map<Cause, Repeat>();
  /** Finds a cause, and if need be others for the repeats that are in the way (Kuhn's algorithm). */
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
