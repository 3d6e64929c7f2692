import { Scrapes } from '../test/lab/generator/scrapes.ts';
import type { Bed, BedOptions } from './bed.ts';
import type { CaseResult } from './case-result.ts';
import { MeasuredProcess, pin, type Usage } from './measured-process.ts';

export const BROKER_CORE = 0;
export const PENSTOCK_CORE = 1;

/**
 * Least samples before a measurement, so that the code is compiled. A step takes 100,000 if all series are known; after
 * four steps a sample cost 7 % more than after sixteen.
 */
const WARM_UP_SAMPLES = { warm: 1_600_000, churn: 1_600_000, cold: 400_000 } as const;
/** More series than any case has, so that cold ones are not those of the warm-up. */
const OTHER_SERIES = 10_000_000;

export interface WorkerCase {
  readonly name: string;
  readonly series: number;
  readonly partitions: number;
  readonly delivery: BedOptions['delivery'];
  /**
   * `warm`: each series is known when the measurement begins. `cold`: each is new. `churn`: 5 % of the series are
   * replaced each minute of the data's time; scrapes are 15 s apart, so 1.25 % of the series of a scrape are new.
   */
  readonly kind: 'warm' | 'cold' | 'churn';
  /** Samples of a measurement, at least. */
  readonly samples: number;
  /** Measurements, one after the other in the same process; the result is the median. Default: 1. */
  readonly turns?: number;
  readonly relabel?: readonly unknown[];
  /** Shuffles the series of a request at each scrape. */
  readonly shuffled?: boolean;
  /** `worker.series_cache_bytes` in MiB; absent: its default. */
  readonly cacheMib?: number;
}

const CHURN_A_MINUTE = 0.05;

/** The worker alone: it is stopped while the topic is filled, then it catches up. */
export async function runWorkerCase(bed: Bed, options: WorkerCase): Promise<CaseResult> {
  const { name, kind, series, partitions, shuffled = false } = options;
  const penstock = await bed.prepare(options);
  const churnAMinute = kind === 'churn' ? CHURN_A_MINUTE : 0;
  const scrapes = new Scrapes({ series, partitions, churnAMinute, shuffled });
  const before = kind === 'cold' ? new Scrapes({ series, partitions, firstSeries: OTHER_SERIES }) : scrapes;
  const warmUp = Math.ceil(WARM_UP_SAMPLES[kind] / series);
  await bed.fill(penstock, before.take(warmUp));
  const worker = await MeasuredProcess.start(penstock, 'worker');
  try {
    await worker.until(warmUp * series);
    for (const pid of await worker.pids()) pin(pid, PENSTOCK_CORE);
    pin(bed.kafkaPid, BROKER_CORE);
    const count = Math.ceil(options.samples / series);
    const usages: Usage[] = [];
    for (let turn = 0; turn < (options.turns ?? 1); turn++)
      usages.push(await worker.measure(() => bed.fill(penstock, scrapes.take(count)), count * series));
    return { name, series, partitions, ...middle(usages), ...noteOf(options, usages) };
  } finally {
    await worker.stop();
    await bed.discard(penstock);
  }
}

/** The median by CPU time. The host may be busy: single measurements are up to half as much again. */
function middle(usages: readonly Usage[]): Usage {
  const sorted = usages.toSorted((a, b) => a.cpuMicrosPerSample - b.cpuMicrosPerSample);
  return {
    ...sorted[Math.floor(sorted.length / 2)]!,
    peakMib: Math.max(...usages.map(({ peakMib }) => peakMib)),
  };
}

function noteOf({ cacheMib }: WorkerCase, usages: readonly Usage[]): { note?: string } {
  const notes = [];
  if (cacheMib !== undefined) notes.push(`series_cache_bytes: ${cacheMib}MiB`);
  if (usages.length > 1) {
    const all = usages.map(({ cpuMicrosPerSample }) => cpuMicrosPerSample.toFixed(3));
    notes.push(`the median of ${all.join(', ')}`);
  }
  return notes.length === 0 ? {} : { note: notes.join('; ') };
}
