import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../lab/deployment/deployment.ts';
import { readMetrics } from '../lab/deployment/metrics-page.ts';
import { memoryMib } from '../lab/process-usage.ts';

export interface CatchUp {
  readonly command: 'worker' | 'drain';
  /** Group and topic that are behind. */
  readonly group: string;
  readonly topic: string;
  /** Most resident memory, in MiB. */
  readonly boundMiB: number;
}

export interface CatchUpResult {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /**
   * Resident memory in MiB: minimum, mean and maximum of samples taken each second, and the kernel's high-water mark.
   */
  readonly resident: {
    readonly min: number;
    readonly mean: number;
    readonly max: number;
    readonly highWater: number;
  };
  readonly within: boolean;
}

const LOOK_MS = 1_000;
const SAY_MS = 15_000;
/** The run has failed if nothing is read for this long. */
const NO_PROGRESS_MS = 120_000;

/** Starts a process far behind a topic, and measures its memory until it has caught up. */
export async function catchUp(
  penstock: Deployment,
  { command, group, topic, boundMiB }: CatchUp,
  say: (line: string) => void,
): Promise<CatchUpResult> {
  const started = Date.now();
  const running = await penstock.start([command]);
  const { process } = running;
  const resident = new Resident(process.pid, LOOK_MS);
  let sayAt = Date.now() + SAY_MS;
  let least = Number.POSITIVE_INFINITY;
  let deadline = Date.now() + NO_PROGRESS_MS;
  for (;;) {
    const left = Number(await penstock.lag(group, topic));
    if (left < least) deadline = Date.now() + NO_PROGRESS_MS;
    least = Math.min(least, left);
    if (Date.now() >= sayAt || left === 0) {
      say(
        `  ${String(Math.round((Date.now() - started) / 1000)).padStart(5)} s  ${left} records left, ${Math.round(resident.now)} MiB`,
      );
      sayAt += SAY_MS;
    }
    if (left === 0) break;
    if (Date.now() > deadline)
      throw new Error(`the ${command} has read nothing for ${NO_PROGRESS_MS / 1000} s`);
    await sleep(LOOK_MS);
  }
  const { min, mean, max, highWater } = resident;
  resident.stop();
  const cpuSeconds = (await readMetrics(running)).sum('process_cpu_seconds_total');
  const { code } = await process.stop();
  if (code !== 0) throw new Error(`the ${command} ended with exit code ${code}: ${process.logFile}`);
  return {
    seconds: (Date.now() - started) / 1000,
    cpuSeconds,
    resident: { min, mean, max, highWater },
    within: highWater <= boundMiB,
  };
}

/** Resident memory of a process over time, in MiB, read from /proc every `everyMs`. */
class Resident {
  min = Number.POSITIVE_INFINITY;
  max = 0;
  now = 0;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #sum = 0;
  #count = 0;

  constructor(pid: number, everyMs: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), everyMs);
    this.#look();
  }

  get mean(): number {
    return this.#sum / this.#count;
  }

  /** Peak by the kernel (VmHWM), also between two samples. */
  get highWater(): number {
    return this.#read('VmHWM') ?? this.max;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const rss = this.#read('VmRSS');
    if (rss === undefined) return;
    this.now = rss;
    this.min = Math.min(this.min, rss);
    this.max = Math.max(this.max, rss);
    this.#sum += rss;
    this.#count += 1;
  }

  /** Undefined when the process has ended. */
  #read(field: 'VmRSS' | 'VmHWM'): number | undefined {
    try {
      return memoryMib(this.#pid, field);
    } catch {
      return undefined;
    }
  }
}
