import { Random } from '../lab/random.ts';

/** Kinds of faults, with their targets and the range of their duration in ms. */
const KINDS = {
  'worker SIGKILL': { targets: ['worker-0', 'worker-1', 'worker-2'], ms: [0, 3_000] },
  'worker SIGSTOP': { targets: ['worker-0', 'worker-1', 'worker-2'], ms: [8_000, 14_000] },
  'worker stop': { targets: ['worker-0', 'worker-1', 'worker-2'], ms: [0, 2_000] },
  'worker clock steps': { targets: ['worker-0', 'worker-1', 'worker-2'], ms: [8_000, 20_000] },
  'workers scaled in': { targets: ['worker-2'], ms: [8_000, 20_000] },
  'workers scaled out': { targets: ['worker-3'], ms: [10_000, 25_000] },
  'drain SIGKILL': { targets: ['drain-0a', 'drain-0b', 'drain-1', 'drain-2'], ms: [0, 3_000] },
  'drain SIGSTOP': { targets: ['drain-0a', 'drain-0b', 'drain-1', 'drain-2'], ms: [8_000, 14_000] },
  'drain stop': { targets: ['drain-0a', 'drain-0b', 'drain-1', 'drain-2'], ms: [0, 2_000] },
  'drain clock steps': { targets: ['drain-0a', 'drain-0b', 'drain-1', 'drain-2'], ms: [8_000, 20_000] },
  'drains scaled in': { targets: ['drain-0b'], ms: [8_000, 20_000] },
  'broker SIGKILL': { targets: ['broker-0', 'broker-1', 'broker-2'], ms: [1_000, 8_000] },
  'broker stop': { targets: ['broker-0', 'broker-1', 'broker-2'], ms: [0, 4_000] },
  'broker SIGSTOP': { targets: ['broker-0', 'broker-1', 'broker-2'], ms: [8_000, 14_000] },
  'vmagent SIGKILL': { targets: ['vmagent-0', 'vmagent-1', 'vmagent-2'], ms: [500, 5_000] },
  'vmagent stop': { targets: ['vmagent-0', 'vmagent-1', 'vmagent-2'], ms: [500, 3_000] },
  'vmagent SIGSTOP': { targets: ['vmagent-0', 'vmagent-1', 'vmagent-2'], ms: [2_000, 12_000] },
  'vmagent answers 503': { targets: ['vmagent-0', 'vmagent-1', 'vmagent-2'], ms: [3_000, 12_000] },
  'vmagent slow': { targets: ['vmagent-0', 'vmagent-1', 'vmagent-2'], ms: [3_000, 10_000] },
  'ingest topic grows': { targets: ['ingest topic'], ms: [0, 0] },
  'configuration reloaded': { targets: ['configuration'], ms: [0, 0] },
  'nodes added or removed': { targets: ['nodes'], ms: [0, 0] },
  'vmagent unreachable': { targets: ['vmagent-0', 'vmagent-1', 'vmagent-2'], ms: [2_000, 8_000] },
} as const;

export type FaultKind = keyof typeof KINDS;
export const FAULT_KINDS = Object.keys(KINDS) as FaultKind[];

/** One fault of the plan. Times in ms; `atMs` from the start of the run. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly target: string;
  /** How long the target is down, or disturbed. */
  readonly forMs: number;
}

/** Milliseconds between two faults: shorter than most of them last, so that they overlap. */
const PAUSE_MS = [1_500, 5_000] as const;
/** No fault for this long, in ms: processes have to join first. */
const FIRST_MS = 5_000;

/**
 * The faults of a run, in order of time. The same seed and length give the same plan.
 *
 * Kinds are drawn from a bag that is refilled when empty, so that all are about equally frequent.
 */
export function planFaults(seed: number, durationMs: number): Fault[] {
  const random = new Random(seed, 0);
  const plan: Fault[] = [];
  let bag: FaultKind[] = [];
  let atMs = FIRST_MS;
  while (atMs < durationMs) {
    if (bag.length === 0) bag = [...FAULT_KINDS];
    const [kind] = bag.splice(random.below(bag.length), 1) as [FaultKind];
    const { targets, ms } = KINDS[kind];
    plan.push({ atMs, kind, target: random.pick<string>(targets), forMs: random.integer(ms[0], ms[1]) });
    atMs += random.integer(PAUSE_MS[0], PAUSE_MS[1]);
  }
  return plan;
}
