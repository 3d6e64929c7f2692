/**
 * Aggregates that deploy/streamaggr.yml must yield for known samples, computed with plain code: for each window
 * (end - interval, end], by the samples' own time.
 *
 * vmagent's rate: the growth of a counter in the window, divided by the time from its last sample before the window
 * (else its first one ever) to its last one in the window; a value below the one before is a reset.
 */
import type { ExportedSeries } from '../servers/victoriametrics.ts';
import { NODE_LABEL, seriesId } from './stored-samples.ts';

export interface InputSeries {
  /** As the vmagent receives them: after relabeling, with the task label. */
  readonly labels: Readonly<Record<string, string>>;
  /** Time in ms and value, in order of time. */
  readonly samples: readonly (readonly [number, number])[];
}

export interface Windows {
  readonly intervalMs: number;
  /** Ends of the windows to compare, in ms. */
  readonly ends: ReadonlySet<number>;
}

/** Ends of the windows that begin at `from` or later and end at `to` or before, in ms. */
export function windowEnds(from: number, to: number, intervalMs: number): Set<number> {
  const ends = new Set<number>();
  for (let end = Math.ceil(from / intervalMs) * intervalMs + intervalMs; end <= to; end += intervalMs) {
    ends.add(end);
  }
  return ends;
}

interface Rule {
  readonly name: RegExp;
  readonly by: readonly string[];
  readonly outputs: readonly Output[];
}

type Output = 'rate_sum' | 'sum_samples' | 'count_samples' | 'max';

/** The first that matches applies. */
const RULES: readonly Rule[] = [
  { name: /._bucket$/, by: ['le', 'vmrange'], outputs: ['rate_sum'] },
  { name: /._(total|sum|count)$/, by: [], outputs: ['rate_sum'] },
  { name: /./, by: [], outputs: ['sum_samples', 'count_samples', 'max'] },
];
const QUANTILES: Rule = { name: /./, by: ['quantile'], outputs: ['max'] };
const GROUP = ['namespace', 'service', 'stream_task_id'];

/** `name{labels}@end of the window` ▸ value. */
export function expectedAggregates(
  series: Iterable<InputSeries>,
  { intervalMs, ends }: Windows,
): Map<string, number> {
  const all = [...series];
  const expected = new Map<string, number>();
  for (const end of ends) {
    for (const one of all) addWindow(one, end, intervalMs, expected);
  }
  return expected;
}

function addWindow(
  { labels, samples }: InputSeries,
  end: number,
  intervalMs: number,
  expected: Map<string, number>,
): void {
  // Stale markers do not count.
  const inside = samples.filter(
    ([time, value]) => time > end - intervalMs && time <= end && !Number.isNaN(value),
  );
  if (inside.length === 0) return;
  const rule = ruleOf(labels);
  const kept = Object.fromEntries(
    [...GROUP, ...rule.by]
      .map((name) => [name, labels[name] ?? ''] as const)
      .filter(([, value]) => value !== ''),
  );
  for (const output of rule.outputs) {
    const value = aggregate(output, inside, samples);
    if (value === undefined) continue;
    const key = aggregateKey({ ...kept, __name__: `${labels['__name__']}:${output}` }, end);
    const before = expected.get(key);
    const combined = output === 'max' ? Math.max(before ?? value, value) : (before ?? 0) + value;
    expected.set(key, combined);
  }
}

function ruleOf(labels: InputSeries['labels']): Rule {
  const name = labels['__name__'] ?? '';
  const rule = RULES.find((each) => each.name.test(name))!;
  return rule === RULES.at(-1) && (labels['quantile'] ?? '') !== '' ? QUANTILES : rule;
}

function aggregate(
  output: Output,
  inside: InputSeries['samples'],
  all: InputSeries['samples'],
): number | undefined {
  const values = inside.map(([, value]) => value);
  switch (output) {
    case 'count_samples':
      return values.length;
    case 'sum_samples':
      return values.reduce((sum, value) => sum + value, 0);
    case 'max':
      return Math.max(...values);
    case 'rate_sum':
      return rate(inside, all);
  }
}

function rate(inside: InputSeries['samples'], all: InputSeries['samples']): number | undefined {
  const first = all.indexOf(inside[0]!);
  const base = all[Math.max(0, first - 1)]!;
  let increase = 0;
  let before = base[1];
  for (const [, value] of inside) {
    increase += value >= before ? value - before : value;
    before = value;
  }
  const seconds = (inside.at(-1)![0] - base[0]) / 1000;
  return seconds > 0 ? increase / seconds : undefined;
}

function aggregateKey(labels: Readonly<Record<string, string>>, timeMs: number): string {
  return `${seriesId(labels)}@${timeMs}`;
}

export interface AggregateVerdict {
  readonly expected: number;
  readonly equal: number;
  /** One line each. */
  readonly problems: readonly string[];
}

/** vmagent adds up in another order. */
const RELATIVE_ERROR = 1e-9;

/** Compares the aggregates in an export with the expected ones, window by window; other windows are left out. */
export function compareAggregates(
  expected: ReadonlyMap<string, number>,
  stored: Iterable<ExportedSeries>,
  { intervalMs, ends }: Windows,
): AggregateVerdict {
  const problems: string[] = [];
  const missing = new Map(expected);
  let equal = 0;
  for (const { metric, values, timestamps } of stored) {
    const { [NODE_LABEL]: _, ...labels } = metric;
    for (const [at, time] of timestamps.entries()) {
      if (!ends.has(Math.ceil(time / intervalMs) * intervalMs)) continue;
      const key = aggregateKey(labels, time);
      const wanted = missing.get(key);
      const found = values[at] ?? Number.NaN;
      if (wanted === undefined)
        problems.push(`${key}: ${found}, ${expected.has(key) ? 'twice' : 'not expected'}`);
      else if (Math.abs(found - wanted) <= RELATIVE_ERROR * Math.max(1, Math.abs(wanted))) equal += 1;
      else problems.push(`${key}: ${found}, expected ${wanted}`);
      missing.delete(key);
    }
  }
  for (const [key, value] of missing) problems.push(`${key}: missing, expected ${value}`);
  return { expected: expected.size, equal, problems };
}
