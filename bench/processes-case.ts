import { Scrapes } from '../test/lab/generator/scrapes.ts';
import { HelperProcess } from '../test/lab/helper-process.ts';
import type { Bed } from './bed.ts';
import type { CaseResult } from './case-result.ts';
import { MeasuredProcess, pin } from './measured-process.ts';
import { holdBack } from './throttle.ts';

/** Share of its core that a process gets. The broker has the rest of both. */
const SHARE = 0.3;
/** Enough that each of two processes always has a step to compute while others wait for the broker. */
const PARTITIONS = 8;
/** For each process. */
const WARM_UP_SAMPLES = 800_000;
/** Of the cores' speed. */
const SPIN_WARM_UP_MS = 200;
const SPIN_MS = 600;
/** Numbers of processes, in turn and often, since the machine's speed changes from minute to minute. */
const TURNS = [1, 2, 2, 1, 1, 2] as const;

/**
 * One process against two, each limited to the same share of a core of its own: otherwise, on a machine with two cores,
 * the second process would have to share with the broker. Process n runs on core n. Two processes get twice the input,
 * so that both cases take equally long: a step is some 100 ms of work, and the first fetch, the last step, and the
 * process that ends last must not weigh more in one of them.
 */
export async function runProcessesCases(
  bed: Bed,
  options: { readonly series: number; readonly samplesEach: number },
): Promise<CaseResult[]> {
  const ones: CaseResult[] = [];
  const twos: CaseResult[] = [];
  const worths: number[] = [];
  for (const processes of TURNS) {
    worths.push(await worthOfTwoCores());
    (processes === 1 ? ones : twos).push(await runHeldBack(bed, { ...options, processes }));
  }
  const [one, two] = [mean(ones), mean(twos)];
  const speedUp = (two.samplesPerSecond ?? 0) / (one.samplesPerSecond ?? 0);
  const cpu = (one.cpuMicrosPerSample ?? 0) / (two.cpuMicrosPerSample ?? 0);
  const notes = [
    used(two),
    `${speedUp.toFixed(2)} times the samples/s of one`,
    `${(2 * cpu).toFixed(2)} times by CPU time`,
    `two cores did ${Math.min(...worths).toFixed(2)} to ${Math.max(...worths).toFixed(2)} times the work of one meanwhile`,
  ];
  return [
    { ...one, note: used(one) },
    { ...two, speedUp, note: notes.join('; ') },
  ];
}

function used({ cpuMicrosPerSample = Number.NaN, samplesPerSecond = Number.NaN }: CaseResult): string {
  const cores = (cpuMicrosPerSample * samplesPerSecond) / 1e6;
  return `each has ${SHARE * 100} % of a core; used ${cores.toFixed(2)} cores`;
}

/** The first of the results, with the mean of the compared figures. */
function mean(results: readonly CaseResult[]): CaseResult {
  const of = (figure: 'samplesPerSecond' | 'cpuMicrosPerSample') =>
    results.reduce((sum, result) => sum + (result[figure] ?? Number.NaN), 0) / results.length;
  return {
    ...results[0]!,
    samplesPerSecond: of('samplesPerSecond'),
    cpuMicrosPerSample: of('cpuMicrosPerSample'),
  };
}

async function runHeldBack(
  bed: Bed,
  { series, samplesEach, processes }: { series: number; samplesEach: number; processes: 1 | 2 },
): Promise<CaseResult> {
  const penstock = await bed.prepare({ partitions: PARTITIONS, delivery: 'exactly_once', processes });
  const scrapes = new Scrapes({ series, partitions: PARTITIONS });
  const worker = await MeasuredProcess.start(penstock, 'worker');
  let release: (() => void) | undefined;
  try {
    await worker.ready();
    const warmUp = Math.ceil((processes * WARM_UP_SAMPLES) / series);
    await bed.fill(penstock, scrapes.take(warmUp));
    await worker.until(warmUp * series);
    const working = (await worker.pids()).slice(-processes);
    for (const [core, pid] of working.entries()) pin(pid, core);
    const count = Math.ceil((processes * samplesEach) / series);
    const fill = () => bed.fill(penstock, scrapes.take(count));
    const usage = await worker.measure(fill, count * series, () => {
      release = holdBack(working, SHARE);
    });
    return {
      name: processes === 1 ? 'worker, one process held back' : 'worker, two processes held back',
      series,
      partitions: PARTITIONS,
      ...usage,
    };
  } finally {
    release?.();
    await worker.stop();
    await bed.discard(penstock);
  }
}

/**
 * Throughput of the first two cores together, in multiples of one of them alone: 2 if they are real cores. On a virtual
 * machine they may be two threads of one core, or the host may give the time of one to both.
 */
async function worthOfTwoCores(): Promise<number> {
  const spinning = await Promise.all([0, 1].map(() => HelperProcess.start<string>('bench/spin.ts')));
  try {
    const [first, second] = spinning.map(([process]) => process) as [HelperProcess, HelperProcess];
    pin(first.pid, 0);
    pin(second.pid, 1);
    const speed = (process: HelperProcess, ms = SPIN_MS) => process.ask<number>({ ms });
    await Promise.all([speed(first, SPIN_WARM_UP_MS), speed(second, SPIN_WARM_UP_MS)]);
    const alone = (await speed(first)) + (await speed(second));
    const [one, other] = await Promise.all([speed(first), speed(second)]);
    return (2 * (one + other)) / alone;
  } finally {
    for (const [process] of spinning) process.close();
  }
}
