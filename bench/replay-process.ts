import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../test/lab/deployment/deployment.ts';
import { readMetrics } from '../test/lab/deployment/metrics-page.ts';
import type { Running } from '../test/lab/deployment/running.ts';
import { memoryMib } from '../test/lab/process-usage.ts';
import { pin, type Usage } from './measured-process.ts';

interface Reading {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly samples: number;
  readonly peakMib: number;
}

const POLL_MS = 50;

/** A `penstock replay`, read from its own /metrics until it ends by itself. */
export class ReplayProcess {
  readonly #running: Running;

  private constructor(running: Running) {
    this.#running = running;
  }

  static async start(args: string[], penstock: Deployment, core?: number): Promise<ReplayProcess> {
    const running = await penstock.launch(['replay', ...args]);
    if (core !== undefined) pin(running.process.pid, core);
    return new ReplayProcess(running);
  }

  get running(): boolean {
    return this.#running.process.exit === undefined;
  }

  /** Reading so far; undefined while it does not serve /metrics, or no longer does. */
  async read(): Promise<Reading | undefined> {
    try {
      const page = await readMetrics(this.#running);
      return {
        cpuSeconds: page.sum('process_cpu_seconds_total'),
        wallSeconds: performance.now() / 1000,
        samples: page.sum('penstock_replay_samples_total'),
        peakMib: memoryMib(this.#running.process.pid, 'VmHWM'),
      };
    } catch {
      return undefined;
    }
  }

  /** Resolves once it has written samples, or has ended. */
  async begun(): Promise<void> {
    while (this.running && ((await this.read())?.samples ?? 0) === 0) await sleep(POLL_MS);
  }

  /**
   * Usage from the moment at which `warmUp` samples are done until its end, more precisely until the last reading.
   */
  async usage(warmUp: number, samples: number): Promise<Usage> {
    let first: Reading | undefined;
    let last: Reading | undefined;
    while (this.running) {
      const reading = await this.read();
      if (reading !== undefined && reading.samples >= warmUp && reading.samples > (last?.samples ?? 0)) {
        first ??= reading;
        last = reading;
      }
      await sleep(POLL_MS);
    }
    this.#assertDone();
    if (first === undefined || last === undefined || last.samples < samples / 2)
      throw new Error(
        `the replay was seen at ${last?.samples ?? 0} of ${samples} samples; give it more of them`,
      );
    const measured = last.samples - first.samples;
    return {
      cpuMicrosPerSample: ((last.cpuSeconds - first.cpuSeconds) * 1e6) / measured,
      samplesPerSecond: measured / (last.wallSeconds - first.wallSeconds),
      samples: measured,
      peakMib: last.peakMib,
    };
  }

  async kill(): Promise<void> {
    await this.#running.process.kill();
  }

  #assertDone(): void {
    if (this.#running.process.exit?.code === 0) return;
    throw new Error(`the replay did not reach its end. Log:\n${this.#running.process.log().slice(-2000)}`);
  }
}
