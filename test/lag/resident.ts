import { memoryMib } from '../lab/process-usage.ts';

/** Resident memory of a process over time, in MiB, read from /proc every `everyMs`. */
export class Resident {
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
