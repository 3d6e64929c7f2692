import type { CaseResult } from './case-result.ts';

/** A performance target of the project, with the figure of the cases that show it. */
interface Target {
  readonly name: string;
  readonly limit: number;
  readonly better: 'less' | 'more';
  readonly unit: string;
  /** Undefined if a case that it needs was not run. */
  readonly figure: (of: (name: string) => CaseResult | undefined) => number | undefined;
}

const WARM = 'worker warm, 1 partition';
const MILLION = 'worker warm, 1,000,000 series';
const MIB = 2 ** 20;

const TARGETS: readonly Target[] = [
  {
    name: 'worker, warm, exactly once',
    limit: 1,
    better: 'less',
    unit: 'µs a sample',
    figure: (of) => of(WARM)?.cpuMicrosPerSample,
  },
  {
    name: 'worker, cold series with 4 relabel rules',
    limit: 8,
    better: 'less',
    unit: 'µs a sample',
    figure: (of) => of('worker cold, 4 relabel rules')?.cpuMicrosPerSample,
  },
  {
    name: 'worker, 1,000,000 series: cost of 100,000',
    limit: 1.3,
    better: 'less',
    unit: 'times',
    figure: (of) => ratio(of(MILLION)?.cpuMicrosPerSample, of(WARM)?.cpuMicrosPerSample),
  },
  {
    name: 'worker, 1,000,000 series: memory',
    limit: 900,
    better: 'less',
    unit: 'MB',
    figure: (of) => ratio(of(MILLION)?.peakMib, 1e6 / MIB),
  },
  {
    name: 'worker, two processes',
    limit: 1.8,
    better: 'more',
    unit: 'times one',
    figure: (of) => of('worker, two processes held back')?.speedUp,
  },
  {
    name: 'drain',
    limit: 0.25,
    better: 'less',
    unit: 'µs a sample',
    figure: (of) => of('drain, records of a worker at full load')?.cpuMicrosPerSample,
  },
  {
    name: 'produced to accepted, 50 % load, p99',
    limit: 500,
    better: 'less',
    unit: 'ms',
    figure: (of) => of('latency at 50 % load')?.latencyMs?.p99,
  },
];

/** A line for each target whose cases were run: met or not. */
export function targetLines(results: readonly CaseResult[]): string[] {
  const of = (name: string) => results.find((result) => result.name === name);
  return TARGETS.flatMap(({ name, limit, better, unit, figure }) => {
    const value = figure(of);
    if (value === undefined) return [];
    const isMet = better === 'less' ? value <= limit : value >= limit;
    const bound = `${better === 'less' ? 'at most' : 'at least'} ${limit}`;
    return [`target ${isMet ? 'met' : 'MISSED'}: ${name}: ${shown(value)} ${unit}, ${bound}`];
  });
}

function ratio(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}

function shown(value: number): string {
  return value < 10 ? value.toFixed(3) : value.toFixed(0);
}
