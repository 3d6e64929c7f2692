import { setTimeout as sleep } from 'node:timers/promises';
import { type PenstockProcess, spawnPenstock } from '../test/lab/deployment/penstock.ts';
import { freePort } from '../test/lab/ports.ts';
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
  readonly #process: PenstockProcess;
  readonly #port: number;

  private constructor(process: PenstockProcess, port: number) {
    this.#process = process;
    this.#port = port;
  }

  static async start(args: string[], configFile: string, core?: number): Promise<ReplayProcess> {
    const port = await freePort();
    const started = spawnPenstock(['replay', ...args, '--listen', `127.0.0.1:${port}`], { configFile });
    if (core !== undefined) pin(started.pid, core);
    return new ReplayProcess(started, port);
  }

  get running(): boolean {
    return this.#process.exit === undefined;
  }

  /** Reading so far; undefined while it does not serve /metrics, or no longer does. */
  async read(): Promise<Reading | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
      const text = await response.text();
      return {
        cpuSeconds: metricIn(text, 'process_cpu_seconds_total'),
        wallSeconds: performance.now() / 1000,
        samples: metricIn(text, 'penstock_replay_samples_total'),
        peakMib: memoryMib(this.#process.pid, 'VmHWM'),
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

  async end(): Promise<void> {
    await this.#process.waitForExit({ timeoutMs: 600_000 });
    this.#assertDone();
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }

  #assertDone(): void {
    if (this.#process.exit?.code === 0) return;
    throw new Error(`the replay did not reach its end. Log:\n${this.#process.log().slice(-2000)}`);
  }
}

function metricIn(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
}
