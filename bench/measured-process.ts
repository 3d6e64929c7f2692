import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type PenstockProcess, spawnPenstock } from '../test/support/penstock.ts';
import { freePort } from '../test/support/ports.ts';

/** What a process has used and done up to a moment. */
export interface Reading {
  /** User and system time of the whole process, in seconds. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly samples: number;
}

/** What it used between two readings. */
export interface Usage {
  readonly cpuMicrosPerSample: number;
  readonly samplesPerSecond: number;
  readonly samples: number;
  readonly peakMib: number;
}

/** A penstock process whose CPU time and samples are read from its own /metrics. */
export class MeasuredProcess {
  readonly #process: PenstockProcess;
  readonly #port: number;
  readonly #stage: string;

  private constructor(process: PenstockProcess, port: number, stage: string) {
    this.#process = process;
    this.#port = port;
    this.#stage = stage;
  }

  /** Starts a command. `stage` is the stage whose samples count: `publish` of a worker, `deliver` of a drain. */
  static async start(command: string, configFile: string, stage: string): Promise<MeasuredProcess> {
    const port = await freePort();
    const env = { PENSTOCK_ADMIN_LISTEN: `127.0.0.1:${port}`, PENSTOCK_LOG_LEVEL: 'warn' };
    const started = spawnPenstock([command], { configFile, env });
    await started.waitForHttp(`http://127.0.0.1:${port}/-/healthy`);
    return new MeasuredProcess(started, port, stage);
  }

  async read(): Promise<Reading> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
    const text = await response.text();
    let samples = 0;
    for (const [, value] of text.matchAll(
      new RegExp(`^penstock_samples_total\\{stage="${this.#stage}".*\\} (\\S+)$`, 'gm'),
    )) {
      samples += Number(value);
    }
    const cpu = /^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1];
    return { cpuSeconds: Number(cpu), wallSeconds: performance.now() / 1000, samples };
  }

  /** Resolves to a reading once `samples` have been done. */
  async until(samples: number, timeoutMs = 300_000): Promise<Reading> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const reading = await this.read();
      if (reading.samples >= samples) return reading;
      if (Date.now() > deadline || this.#process.exit !== undefined) {
        throw new Error(
          `${reading.samples} of ${samples} samples done in time. Log:\n${this.#process.log().slice(-2000)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  usage(from: Reading, to: Reading): Usage {
    const samples = to.samples - from.samples;
    return {
      cpuMicrosPerSample: ((to.cpuSeconds - from.cpuSeconds) * 1e6) / samples,
      samplesPerSecond: samples / (to.wallSeconds - from.wallSeconds),
      samples,
      peakMib: this.#peakMib(),
    };
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Largest resident size since the start, as the kernel counts it (VmHWM). */
  #peakMib(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
  }
}

/** Keeps a process on one core, so that broker and worker do not take turns. False where `taskset` is missing. */
export function pin(pid: number, core: number): boolean {
  return spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', String(core), String(pid)]).status === 0;
}
