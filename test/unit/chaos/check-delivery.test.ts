import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type PossibleRepeat, REQUEST_TIMEOUT_MS } from '../../chaos/causes.ts';
import { type Delivering, DeliveryCheck } from '../../chaos/check-delivery.ts';
import type { DoneFault } from '../../chaos/faults.ts';
import { type Acceptance, bodyId } from '../../chaos/gate.ts';
import type { FaultKind } from '../../chaos/plan.ts';
import type { Span } from '../../chaos/stalls.ts';
import { Problems } from '../../lab/truth/problems.ts';

/** The chaos run is only worth what its check finds. Times are seconds of a run. */
const NODE = 'vmagent-0';
const DRAIN = 'drain-0a';
/** Has the task while one more node is configured. */
const OTHER = 'vmagent-3';
/** Never has it. */
const STRANGER = 'vmagent-1';
const TASK = 7;

/** When a record was accepted. `lasts`: until the vmagent answered. `gone`: nobody listened any more. */
interface Accepted {
  readonly at: number;
  readonly lasts?: number;
  readonly gone?: boolean;
  readonly by?: string;
}

interface Run {
  /** By offset, the acceptances of each record. */
  readonly records: readonly (readonly Accepted[])[];
  readonly faults?: readonly DoneFault[];
  readonly stalls?: readonly Span[];
  readonly evictedAt?: readonly number[];
  readonly cutOff?: readonly Span[];
  /** As many as there are repeats, unless told. */
  readonly counted?: number;
  /** The drain counts repeats as unanswered then, not as taken over. */
  readonly unansweredAt?: number;
}

function fault(kind: FaultKind, from: number, to: number, target?: string): DoneFault {
  const usual = kind.startsWith('drain') ? DRAIN : kind.startsWith('broker') ? 'broker-1' : NODE;
  return { kind, target: target ?? usual, ...span(from, to), hit: true };
}

function span(from: number, to: number): Span {
  return { fromMs: from * 1000, toMs: to * 1000 };
}

function check(run: Run) {
  const { records, faults = [], stalls = [], evictedAt = [], cutOff = [], counted, unansweredAt } = run;
  const counts =
    unansweredAt === undefined
      ? { atMs: 0, reason: 'takeover' }
      : { atMs: unansweredAt * 1000, reason: 'unanswered' };
  const gates = new Map([NODE, OTHER, STRANGER].map((name) => [name, new Map<string, Acceptance[]>()]));
  const possibleRepeats = new Map<string, PossibleRepeat[]>();
  for (const [offset, list] of records.entries()) {
    for (const { at, lasts = 0.01, gone = false, by = NODE } of list) {
      const id = bodyId(body(offset));
      const times = { fromMs: at * 1000, atMs: (at + lasts) * 1000, answered: !gone };
      gates.get(by)!.set(id, [...(gates.get(by)!.get(id) ?? []), times]);
    }
    const said = Array.from({ length: counted ?? list.length - 1 }, () => counts);
    possibleRepeats.set(`${TASK}/${offset}`, said);
  }
  const hangs = evictedAt.map((at) => at * 1000);
  const deployment: Delivering = {
    nodes: [...gates].map(([name, accepted]) => ({ name, gate: { accepted } })),
    owners: () => [NODE, OTHER],
    drainsOf: (node) => (node === NODE ? [{ name: DRAIN, hangs, cutOff, possibleRepeats }] : []),
  };
  const problems = new Problems();
  const delivery = new DeliveryCheck(deployment, { faults, stalls }, problems);
  for (const offset of records.keys()) delivery.visit(TASK, String(offset), body(offset));
  delivery.finish();
  return { delivery, problems: problems.lines() };
}

function body(offset: number): Buffer {
  return Buffer.from(`record ${offset}`);
}

function passes(run: Run): void {
  assert.deepEqual(check(run).problems, []);
}

function refuses(run: Run, times = 1): void {
  const { delivery, problems } = check(run);
  assert.match(problems[0] ?? '', /a repeat that no crash or hang explains/);
  assert.equal(delivery.withoutCause, times);
}

describe('a repeated request needs a crash or a hang between its two arrivals', () => {
  const repeat = [{ at: 10 }, { at: 12 }];

  test('and none is refused', () => refuses({ records: [repeat] }));
  test('a clean stop is none', () =>
    refuses({ records: [repeat], faults: [fault('drain stop', 10.5, 11.5)] }));
  test('nor are scaling, a broker, a slow answer and a 503', () => {
    for (const kind of [
      ...(['drains scaled in', 'broker SIGKILL', 'broker SIGSTOP'] as const),
      ...(['vmagent slow', 'vmagent answers 503', 'vmagent stop'] as const),
    ])
      refuses({ records: [repeat], faults: [fault(kind, 9, 12)] });
  });
  test('a drain that is killed is one, once', () => {
    const faults = [fault('drain SIGKILL', 10.1, 11)];
    passes({ records: [repeat], faults });
    refuses({ records: [[...repeat, { at: 13 }]], faults }, 1);
    refuses({ records: [repeat, [{ at: 10.3 }, { at: 12.5 }]], faults }, 1);
    passes({
      records: [repeat, [{ at: 10.3 }, { at: 12.5 }]],
      faults: [...faults, fault('drain SIGKILL', 10.6, 11, DRAIN)],
    });
  });
  test('before, after and elsewhere it is none', () => {
    refuses({ records: [repeat], faults: [fault('drain SIGKILL', 7, 9)] });
    refuses({ records: [repeat], faults: [fault('drain SIGKILL', 12.1, 13)] });
    refuses({ records: [repeat], faults: [fault('drain SIGKILL', 10.1, 11, 'drain-1')] });
  });
  test('a kill is over at once, however long the drain stays away', () =>
    refuses({ records: [repeat], faults: [fault('drain SIGKILL', 8, 14)] }));
  test('a hang of the drain counts as long as it lasts', () =>
    passes({ records: [repeat], faults: [fault('drain SIGSTOP', 3, 11)] }));
  test('causes are given out so that as many repeats as can be have one', () => {
    // The first may have either, the second the first one only.
    const records = [
      [{ at: 10 }, { at: 14 }],
      [{ at: 10.5 }, { at: 11.5 }],
    ];
    passes({ records, faults: [fault('drain SIGKILL', 10.6, 11), fault('drain SIGKILL', 13, 13.5)] });
    refuses({ records, faults: [fault('drain SIGKILL', 13, 13.5), fault('drain SIGKILL', 13.2, 13.5)] });
  });
});

describe('what the drain had the answer to, only the drain repeats', () => {
  const unanswered = [{ at: 10, gone: true }, { at: 14 }];

  test('a vmagent that is cut off repeats what it did not answer', () => {
    const faults = [fault('vmagent unreachable', 10.1, 13)];
    passes({ records: [unanswered], faults });
    refuses({ records: [[{ at: 10 }, { at: 14 }]], faults });
  });
  test('a vmagent that hangs too', () => {
    const faults = [fault('vmagent SIGSTOP', 10, 17)];
    passes({ records: [[{ at: 11, lasts: 6, gone: true }, { at: 17.1 }]], faults });
    refuses({ records: [[{ at: 11, lasts: 0.1 }, { at: 17.1 }]], faults });
  });
  test('a request that took longer than a drain waits explains itself', () => {
    const late = { at: 10, lasts: REQUEST_TIMEOUT_MS / 1000 };
    const { delivery, problems } = check({ records: [[late, { at: 16 }]] });
    assert.deepEqual(problems, []);
    assert.equal(delivery.unplanned.slow, 1);
    refuses({ records: [[{ ...late, lasts: 2 }, { at: 16 }]] });
  });
  test('so does one that a drain says it gave up while the host stood still', () => {
    // The gate read it late: the drain had sent it at 6.
    const run = { records: [[{ at: 10.9 }, { at: 16 }]], stalls: [span(7, 8)] };
    passes({ ...run, unansweredAt: 11 });
    refuses({ ...run, unansweredAt: 13.1 });
    refuses({ ...run, unansweredAt: 11, stalls: [span(7, 7.9)] });
    refuses(run);
  });
  test('a gate that stood still may have read a request after the drain was killed, or had given it up', () => {
    const records = [[{ at: 10 }, { at: 16 }]];
    const faults = [fault('drain SIGKILL', 7, 8)];
    refuses({ records, faults });
    passes({ records, faults, stalls: [span(7, 10)] });
    passes({ records, unansweredAt: 8.4, stalls: [span(7, 8), span(8.8, 10)] });
    refuses({ records, unansweredAt: 8.4, stalls: [span(7, 8)] });
  });
});

describe('hangs that were not planned', () => {
  const repeat = [{ at: 10 }, { at: 22 }];

  test('an eviction counts while a broker or the host is in trouble, and not for no reason', () => {
    passes({ records: [repeat], evictedAt: [21], faults: [fault('broker SIGSTOP', 9, 18)] });
    passes({ records: [repeat], evictedAt: [21], stalls: [span(12, 14)] });
    refuses({ records: [repeat], evictedAt: [21], stalls: [span(50, 52)] });
    assert.equal(check({ records: [[{ at: 1 }]], evictedAt: [21] }).delivery.unplanned.unexplained, 1);
  });
  test('what a SIGSTOP brings about is not counted beside it', () => {
    const faults = [fault('drain SIGSTOP', 9, 18), fault('broker SIGSTOP', 9, 18)];
    refuses({ records: [[...repeat, { at: 23 }]], evictedAt: [19], faults });
  });
  test('a stop that was cut off at its deadline counts', () =>
    passes({ records: [repeat], cutOff: [span(9, 19)] }));
});

test('a repeat that no drain has counted is refused', () => {
  const run = {
    records: [[{ at: 10 }, { at: 12 }, { at: 16 }]],
    faults: [fault('drain SIGKILL', 10.1, 11), fault('drain SIGKILL', 13, 14)],
  };
  assert.deepEqual(check(run).problems, []);
  const { delivery, problems } = check({ ...run, counted: 1 });
  assert.equal(delivery.uncounted, 1);
  assert.match(problems[0] ?? '', /no drain counted/);
});

describe('a task that moves to another node and back', () => {
  const there = [{ at: 2, by: OTHER }];

  test('has each record at one of them, in order', () => {
    passes({ records: [[{ at: 1 }], there, [{ at: 3 }]] });
    assert.match(check({ records: [[{ at: 3 }], there] }).problems[0] ?? '', /out of order/);
  });
  test('needs a cause at one of them for what both have', () => {
    const records = [[{ at: 1 }, ...there]];
    refuses({ records });
    passes({ records, faults: [fault('drain SIGKILL', 1.2, 2)] });
  });
  test('and nothing at a third one', () =>
    assert.match(
      check({ records: [[{ at: 1 }, { at: 2, by: STRANGER }]] }).problems[0] ?? '',
      /another node/,
    ));
});

test('a record that nobody accepted, and records out of order, are refused', () => {
  assert.match(check({ records: [[{ at: 3 }], [{ at: 2 }]] }).problems[0] ?? '', /out of order/);
  assert.match(check({ records: [[{ at: 3 }]], counted: 0 }).problems[0] ?? 'none', /none/);
});

test('only what a vmagent accepted shortly before its end, or before what it was still sending then, may be lost', () => {
  const kill = fault('vmagent SIGKILL', 20, 21);
  const mayBeLost = (at: number, ...faults: DoneFault[]) => {
    const { delivery } = check({ records: [[{ at }]], faults });
    return delivery.visit(TASK, '0', body(0));
  };
  assert.equal(mayBeLost(14.9, kill), false);
  assert.equal(mayBeLost(15.1, kill), true);
  assert.equal(mayBeLost(21.1, kill), false);
  assert.equal(mayBeLost(12.9, { ...kill, sendingSinceMs: 18_000 }), false);
  assert.equal(mayBeLost(13.1, { ...kill, sendingSinceMs: 18_000 }), true);
  assert.equal(mayBeLost(8.9, kill, fault('vmagent SIGSTOP', 10, 16)), false);
  assert.equal(mayBeLost(9.1, kill, fault('vmagent SIGSTOP', 10, 16)), true);
});
