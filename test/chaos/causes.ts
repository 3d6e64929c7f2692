import type { DoneFault } from './faults.ts';
import type { Acceptance } from './gate.ts';
import type { FaultKind } from './plan.ts';
import { common, overlaps, type Span } from './stalls.ts';

/** Something that sends what is in flight once more: a crash or a hang. */
export interface Cause extends Span {
  readonly what: FaultKind | 'stop cut off' | 'eviction';
  /** A hang of the vmagent repeats only what the drain had no answer to; a drain may die with the answer in hand. */
  readonly of: 'drain' | 'vmagent';
}

/** What a drain's processes have said and met. Times in ms since the epoch. */
export interface DrainAccount {
  readonly name: string;
  /** When one found that it had lost its partitions, for it was cut off from Kafka or stood still. */
  readonly hangs: readonly number[];
  /** Clean stops that ended at their deadline, with work left. */
  readonly cutOff: readonly Span[];
  /** By `task/offset`, each time that one said that the node may take this record a second time. */
  readonly possibleRepeats: ReadonlyMap<string, readonly PossibleRepeat[]>;
}

export interface PossibleRepeat {
  readonly atMs: number;
  /** `takeover`: another drain may have sent it before. `unanswered`: the drain itself did. */
  readonly reason: string;
}

export interface NodeCauses {
  readonly causes: readonly Cause[];
  /** Drains that lost their partitions beside the plan: while a broker or the host was in trouble, or for no reason. */
  readonly evictions: number;
  readonly unexplained: number;
}

/** A drain gives a request up after this: a vmagent that is stopped for longer sees it again. */
export const REQUEST_TIMEOUT_MS = 5_000;
/** From the decision to kill or cut until it is done, at most. */
export const KILL_TAKES_MS = 1_000;
/** A drain finds out this long after it was given up, at most. */
const FINDS_OUT_MS = 30_000;
/** Clocks of the drain and the gate around one request. */
export const SLACK_MS = 500;
/** The host has to have stood still for this long, to be the reason that a drain was evicted or gave a request up. */
const LONG_STALL_MS = 1_000;

/** Kinds that end or hang a drain, or hang or cut off the vmagent. `at once`: whatever follows comes from its beginning. */
const CRASHES: ReadonlyMap<FaultKind, 'at once' | 'lasting'> = new Map([
  ['drain SIGKILL', 'at once'],
  ['drain SIGSTOP', 'lasting'],
  ['vmagent SIGKILL', 'at once'],
  ['vmagent SIGSTOP', 'lasting'],
  ['vmagent unreachable', 'at once'],
]);

/**
 * What may have repeated a request to one node. Nothing else may: no clean stop, no rebalance, no broker, no 503.
 *
 * A machine that is busy with other work makes drains hang too, and a broker that stops can cut them off. That
 * counts only where it was measured: the drain says that it was evicted, and a broker or the host was in trouble then.
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
 * Whether the drain gave a request up because it took too long: by the gate's account, or by the drain's own, said at
 * `unansweredMs`, if the host was measured to have stood still meanwhile. For then the gate reads a request late, and
 * the drain the answer.
 */
export function isSlow(
  { fromMs, atMs }: Acceptance,
  unansweredMs: readonly number[],
  stalls: readonly Span[],
): boolean {
  if (atMs - fromMs >= REQUEST_TIMEOUT_MS - SLACK_MS) return true;
  return unansweredMs.some((toMs) => stalledBefore(toMs, stalls) >= LONG_STALL_MS);
}

/** When a request came that the gate read at `fromMs`, at the earliest: a host that stands still reads late. */
export function arrivedMs(fromMs: number, stalls: readonly Span[]): number {
  return fromMs - stalledBefore(fromMs, stalls);
}

/** How long the host stood still in the time that a drain waits for an answer, before `toMs`. */
function stalledBefore(toMs: number, stalls: readonly Span[]): number {
  const wait = { fromMs: toMs - REQUEST_TIMEOUT_MS, toMs };
  return stalls.reduce((sum, stall) => sum + common(stall, wait), 0);
}

/** The hangs of a drain that no SIGSTOP of its own explains: each explains the first that comes of it. */
function unplanned({ name, hangs }: DrainAccount, faults: readonly DoneFault[]): number[] {
  const left = hangs.toSorted((a, b) => a - b);
  for (const { kind, target, fromMs, toMs } of faults) {
    if (kind !== 'drain SIGSTOP' || target !== name) continue;
    const at = left.findIndex((atMs) => atMs >= fromMs && atMs <= toMs + FINDS_OUT_MS);
    if (at !== -1) left.splice(at, 1);
  }
  return left;
}
