import type { DoneFault } from './faults.ts';
import type { Acceptance } from './gate.ts';
import type { FaultKind } from './plan.ts';
import { common, overlaps, type Span } from './stalls.ts';

/** A crash or a hang, after which requests in flight are sent again. */
export interface Cause extends Span {
  readonly what: FaultKind | 'stop cut off' | 'eviction';
  /** A hang of the vmagent repeats only what the drain had no answer to; a drain may die with the answer in hand. */
  readonly of: 'drain' | 'vmagent';
}

/** Events of a drain's processes, from their logs and exits. Times in ms since the epoch. */
export interface DrainAccount {
  readonly name: string;
  /** Times at which a process found that it had lost its partitions: it was cut off from Kafka, or stood still. */
  readonly hangs: readonly number[];
  /** Clean stops that ended at their deadline, with work left. */
  readonly cutOff: readonly Span[];
  /** By `task/offset` the log lines that the node may take this record a second time. */
  readonly possibleRepeats: ReadonlyMap<string, readonly PossibleRepeat[]>;
}

export interface PossibleRepeat {
  readonly atMs: number;
  /** `takeover`: another drain may have sent it before. `unanswered`: the drain itself did. */
  readonly reason: string;
}

export interface NodeCauses {
  readonly causes: readonly Cause[];
  /** Unplanned losses of partitions: `evictions` while a broker or the host was in trouble, `unexplained` otherwise. */
  readonly evictions: number;
  readonly unexplained: number;
}

/** Timeout of a drain's request: a vmagent that is stopped for longer gets it again. */
export const REQUEST_TIMEOUT_MS = 5_000;
/** Most time from the decision to kill or cut until it is done. */
export const KILL_TAKES_MS = 1_000;
/** Most time until a drain notices that it was evicted. */
const FINDS_OUT_MS = 30_000;
/** Tolerance between the times of drain and gate for one request. */
export const SLACK_MS = 500;
/** Shortest stall of the host that explains an eviction or a request that timed out. */
const LONG_STALL_MS = 1_000;

/** Faults that end or hang a drain, or hang or cut off the vmagent. `at once`: only their beginning has effects. */
const CRASHES: ReadonlyMap<FaultKind, 'at once' | 'lasting'> = new Map([
  ['drain SIGKILL', 'at once'],
  ['drain SIGSTOP', 'lasting'],
  ['vmagent SIGKILL', 'at once'],
  ['vmagent SIGSTOP', 'lasting'],
  ['vmagent unreachable', 'at once'],
]);

/**
 * Causes that may have repeated a request to one node. Nothing else may: no clean stop, no rebalance, no broker, no
 * 503.
 *
 * Other load on the machine makes drains hang too, and a broker that stops can cut them off. That counts only if it was
 * measured: the drain logs that it was evicted, and a broker or the host was in trouble then.
 */
export function causesOf(
  node: string,
  drains: readonly DrainAccount[],
  faults: readonly DoneFault[],
  stalls: readonly Span[],
): NodeCauses {
  const causes: Cause[] = faults.flatMap((fault) => {
    const { kind, target, fromMs, toMs } = fault;
    const how = CRASHES.get(kind);
    const of = kind.startsWith('drain') ? ('drain' as const) : ('vmagent' as const);
    const concerned = of === 'drain' ? drains.some(({ name }) => name === target) : target === node;
    if (how === undefined || !concerned) return [];
    return [{ what: kind, of, fromMs, toMs: how === 'at once' ? fromMs + KILL_TAKES_MS : toMs }];
  });
  const longStalls = stalls.filter(({ fromMs, toMs }) => toMs - fromMs >= LONG_STALL_MS);
  const trouble = [...longStalls, ...faults.filter(({ kind }) => kind.startsWith('broker'))];
  let evictions = 0;
  let unexplained = 0;
  for (const drain of drains) {
    causes.push(...drain.cutOff.map((span) => ({ ...span, what: 'stop cut off', of: 'drain' }) as const));
    for (const atMs of unplanned(drain, faults)) {
      const span = { fromMs: atMs - FINDS_OUT_MS, toMs: atMs };
      if (trouble.some((other) => overlaps(span, other))) {
        evictions += 1;
        causes.push({ ...span, what: 'eviction', of: 'drain' });
      } else unexplained += 1;
    }
  }
  return { causes, evictions, unexplained };
}

/**
 * Whether the drain's request timed out: by the gate's times, or by the drain's log line at `unansweredMs`, if a stall
 * of the host was measured meanwhile. For then the gate reads the request late, and the drain the answer.
 */
export function isSlow(
  { fromMs, atMs }: Acceptance,
  unansweredMs: readonly number[],
  stalls: readonly Span[],
): boolean {
  if (atMs - fromMs >= REQUEST_TIMEOUT_MS - SLACK_MS) return true;
  return unansweredMs.some((toMs) => stalledBefore(toMs, stalls) >= LONG_STALL_MS);
}

/** Earliest arrival of a request that the gate read at `fromMs`: during a stall of the host it is read late. */
export function arrivedMs(fromMs: number, stalls: readonly Span[]): number {
  return fromMs - stalledBefore(fromMs, stalls);
}

/** Time that the host stood still within one request timeout before `toMs`, in ms. */
function stalledBefore(toMs: number, stalls: readonly Span[]): number {
  const wait = { fromMs: toMs - REQUEST_TIMEOUT_MS, toMs };
  return stalls.reduce((sum, stall) => sum + common(stall, wait), 0);
}

/** Hangs of a drain without a SIGSTOP of its own: each SIGSTOP explains the first hang after it. */
function unplanned({ name, hangs }: DrainAccount, faults: readonly DoneFault[]): number[] {
  const left = hangs.toSorted((a, b) => a - b);
  for (const { kind, target, fromMs, toMs } of faults) {
    if (kind !== 'drain SIGSTOP' || target !== name) continue;
    const at = left.findIndex((atMs) => atMs >= fromMs && atMs <= toMs + FINDS_OUT_MS);
    if (at !== -1) left.splice(at, 1);
  }
  return left;
}
