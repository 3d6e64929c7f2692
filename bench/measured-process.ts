import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../test/lab/deployment/deployment.ts';
import { readMetrics } from '../test/lab/deployment/metrics-page.ts';
import { type Running, untilReady } from '../test/lab/deployment/running.ts';
import { memoryMib } from '../test/lab/process-usage.ts';

/** CPU time and work of a process up to a moment. */
export interface Reading {
  /** User and system time of the whole process, in seconds; of a supervised worker that of all processes. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly samples: number;
  /** Records committed to task topics. */
  readonly records: number;
}

/** Difference of two readings. */
export interface Usage {
  readonly cpuMicrosPerSample: number;
  readonly samplesPerSecond: number;
  readonly samples: number;
  readonly peakMib: number;
  readonly samplesPerRecord?: number;
}

const POLL_MS = 100;
const MOST_POLL_MS = 2_000;
/** Time for the work that is left once the last sample is counted, in ms. */
const SETTLE_MS = 300;

/** Samples are counted where a command is done with them. */
const STAGE = { worker: 'publish', drain: 'deliver' } as const;

/** A penstock process whose CPU time and samples are read from its own /metrics. */
export class MeasuredProcess {
  readonly #running: Running;
  readonly #stage: string;

  private constructor(running: Running, stage: string) {
    this.#running = running;
    this.#stage = stage;
  }

  static async start(penstock: Deployment, command: keyof typeof STAGE): Promise<MeasuredProcess> {
    const running = await penstock.launch([command], { PENSTOCK_LOG_LEVEL: 'warn' });
    await running.process.waitForHttp(`${running.admin}/-/healthy`);
    return new MeasuredProcess(running, STAGE[command]);
  }

  async ready(): Promise<void> {
    await untilReady(this.#running);
  }

  async read(): Promise<Reading> {
    const page = await readMetrics(this.#running);
    return {
      cpuSeconds: page.sum('process_cpu_seconds_total'),
      wallSeconds: performance.now() / 1000,
      samples: page.sum('penstock_samples_total', { stage: this.#stage }),
      records: page.sum('penstock_publish_records_total') + page.sum('penstock_deliver_records_total'),
    };
  }

  /**
   * Resolves to a reading once `samples` are done. Reading /metrics costs time too, most of all with a supervisor, so
   * it is read often only near the end.
   */
  async until(samples: number, timeoutMs = 300_000): Promise<Reading> {
    const deadline = Date.now() + timeoutMs;
    const first = await this.read();
    for (let reading = first; ; reading = await this.read()) {
      if (reading.samples >= samples) return reading;
      if (Date.now() > deadline || this.#running.process.exit !== undefined) {
        throw new Error(
          `${reading.samples} of ${samples} samples done in time. Log:\n${this.#running.process.log().slice(-2000)}`,
        );
      }
      const perMs = (reading.samples - first.samples) / (reading.wallSeconds - first.wallSeconds) / 1000;
      const leftMs = perMs > 0 ? (samples - reading.samples) / perMs : 0;
      await sleep(Math.min(MOST_POLL_MS, Math.max(POLL_MS, leftMs * 0.8)));
    }
  }

  /**
   * Cost of some work, from one idle moment to the next, so that all its CPU time and samples are counted. The process
   * is stopped while `fill` writes its input, and then catches up.
   */
  async measure(fill: () => Promise<void>, samples: number, onStart = () => {}): Promise<Usage> {
    await sleep(SETTLE_MS);
    const from = await this.read();
    const pids = await this.pids();
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      await fill();
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    onStart();
    const started = performance.now() / 1000;
    const { wallSeconds } = await this.until(from.samples + samples);
    await sleep(SETTLE_MS);
    const to = await this.read();
    if (to.samples !== from.samples + samples)
      throw new Error(`${to.samples - from.samples} samples done, ${samples} written`);
    return await this.usage({ ...from, wallSeconds: started }, { ...to, wallSeconds });
  }

  async usage(from: Reading, to: Reading): Promise<Usage> {
    const pids = await this.pids();
    const samples = to.samples - from.samples;
    const records = to.records - from.records;
    return {
      cpuMicrosPerSample: ((to.cpuSeconds - from.cpuSeconds) * 1e6) / samples,
      samplesPerSecond: samples / (to.wallSeconds - from.wallSeconds),
      samples,
      peakMib: pids.reduce((total, pid) => total + memoryMib(pid, 'VmHWM'), 0),
      ...(records > 0 ? { samplesPerRecord: samples / records } : {}),
    };
  }

  /** The process, and those that it supervises. */
  async pids(): Promise<number[]> {
    const response = await fetch(`${this.#running.admin}/api/status`);
    const { pid, processes = [] } = (await response.json()) as { pid: number; processes?: { pid: number }[] };
    return [pid, ...processes.map((each) => each.pid)];
  }

  async stop(): Promise<void> {
    await this.#running.process.stop();
  }
}

/** Keeps a process on one core, so that broker and worker do not take turns. False where `taskset` is missing. */
export function pin(pid: number, core: number): boolean {
  return allow(pid, String(core));
}

/** Lets a process run on all cores again. */
export function unpin(pid: number): boolean {
  return allow(pid, `0-${cpus().length - 1}`);
}

function allow(pid: number, cores: string): boolean {
  return spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', cores, String(pid)]).status === 0;
}
