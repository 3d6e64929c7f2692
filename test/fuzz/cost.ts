import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { threadCpuMs } from '../../src/core/decode/record-budget.ts';

/** What an input of at most 1 MiB may cost. */
export const MOST_MS = 2000;
export const MOST_MEMORY = 400 * 1024 * 1024;

/** CPU time of this thread, in ms, garbage collection on it included. */
export function cpuOf(work: () => void): number {
  const before = threadCpuMs();
  work();
  return threadCpuMs() - before;
}

const STATUS = '/proc/self/status';

/** Collects all garbage, whatever flags the process was started with. */
export const collectGarbage: () => void = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

/**
 * Memory that the process takes at most meanwhile, in bytes: the kernel's own high-water mark of resident memory (VmHWM
 * of /proc/self/status), which writing 5 to /proc/self/clear_refs sets back. It sees heap, buffers and what native code
 * takes, between any two samples of a sampler too. Where there is no such file: what is resident afterwards.
 */
export class PeakMemory {
  readonly #has: boolean;

  constructor() {
    this.#has = this.reset();
  }

  /** From here on. False where the system has no such mark. */
  reset(): boolean {
    try {
      writeFileSync('/proc/self/clear_refs', '5');
      return true;
    } catch {
      return false;
    }
  }

  get bytes(): number {
    if (!this.#has) return process.memoryUsage.rss();
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(STATUS, 'latin1')) ?? [];
    return Number(kib) * 1024;
  }

  /** Resident memory without garbage. */
  idle(): number {
    for (let i = 0; i < 2; i++) collectGarbage();
    return process.memoryUsage.rss();
  }

  /** How far memory grows during the work, garbage of its own included, from a heap without garbage. */
  growthOf(work: () => void): number {
    const before = this.idle();
    this.reset();
    work();
    return Math.max(0, this.bytes - before);
  }
}
