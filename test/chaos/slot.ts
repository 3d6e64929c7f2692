import { readFileSync } from 'node:fs';
import { TestClock } from '../lab/clock.ts';
import type { PenstockProcess } from '../lab/deployment/penstock.ts';
import { launchOn, type Running, untilReady } from '../lab/deployment/running.ts';
import type { Exit } from '../lab/process.ts';
import { memoryMib } from '../lab/process-usage.ts';
import type { DrainAccount, PossibleRepeat } from './causes.ts';
import type { Span } from './stalls.ts';

export interface SlotOptions {
  readonly name: string;
  readonly command: 'worker' | 'drain';
  readonly configFile: string;
  readonly adminPort: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Log line of a process that reached its deadline with work left. */
const CUT_OFF = 'stopped at the deadline';
/** Log line of a process that has lost its partitions: it was cut off from Kafka, or stood still. */
const HANG = /"time":"([^"]+)".*"msg":"(?:evicted|consumer restarts)/;
/** Log line of a drain before it sends a record that its node may have taken already (`DrainEvents.possibleRepeat`). */
const POSSIBLE_REPEAT =
  /"time":"([^"]+)".*"partition":(\d+),"offset":"(\d+)".*"reason":"(\w+)","msg":"the node may take this record a second/;
/** Most time to wait for a process: the machine may be busy, or brokers down. */
const READY_TIMEOUT_MS = 60_000;

/** One place in the deployment: a process of Penstock and, after each kill, its successor. */
export class Slot {
  readonly name: string;
  /** Unplanned ends: exit codes and log files. */
  readonly crashes: string[] = [];
  /** Clean stops that ended at the deadline, with exit code 1: from the signal to the end. */
  readonly cutOff: Span[] = [];
  /** Largest resident size of any of its processes, in MiB. */
  peakMiB = 0;
  /** The system's time of its processes. */
  readonly clock = new TestClock();
  readonly #options: SlotOptions;
  readonly #logFiles: string[] = [];
  #running: Running | undefined;
  #joined = false;

  constructor(options: SlotOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Whether its process has been ready since it was started: only then does a fault prove something. */
  get joined(): boolean {
    return this.#joined;
  }

  /** Log of the process that was started last. */
  get logFile(): string {
    return this.#logFiles.at(-1) ?? '';
  }

  start(): void {
    this.#joined = false;
    const { command, configFile, adminPort, env } = this.#options;
    this.#running = launchOn(adminPort, [command], {
      configFile,
      env: {
        PENSTOCK_LOG_LEVEL: 'debug',
        PENSTOCK_STOP_DEADLINE: '10s',
        ...this.clock.env,
        ...env,
      },
    });
    this.#logFiles.push(this.#running.process.logFile);
  }

  /** Hangs and repeats, from the logs of all its processes. */
  account(): DrainAccount {
    const hangs: number[] = [];
    const possibleRepeats = new Map<string, PossibleRepeat[]>();
    for (const line of this.#logFiles.flatMap((file) => readFileSync(file, 'utf8').split('\n'))) {
      const [, time] = HANG.exec(line) ?? [];
      if (time !== undefined) hangs.push(this.clock.trueMs(Date.parse(time)));
      const [, at, task, offset, reason] = POSSIBLE_REPEAT.exec(line) ?? [];
      if (at === undefined || reason === undefined) continue;
      const key = `${task}/${offset}`;
      possibleRepeats.set(key, [
        ...(possibleRepeats.get(key) ?? []),
        { atMs: this.clock.trueMs(Date.parse(at)), reason },
      ]);
    }
    return { name: this.name, hangs, cutOff: this.cutOff, possibleRepeats };
  }

  /** Waits until its process is ready, for a while. Resolves to whether it is. */
  async ready(timeoutMs = READY_TIMEOUT_MS): Promise<boolean> {
    const running = this.#running;
    if (running === undefined) return false;
    const isReady = await untilReady(running, { timeoutMs }).then(
      () => true,
      () => false,
    );
    if (isReady && running === this.#running) this.#joined = true;
    return isReady;
  }

  async kill(): Promise<void> {
    this.observe();
    const process = this.#take();
    await process?.kill();
  }

  /** SIGTERM; checks that the end is clean. Resolves to how it ended; undefined when no process was running. */
  async stop(): Promise<Exit | undefined> {
    this.observe();
    const process = this.#take();
    if (process === undefined) return undefined;
    const fromMs = Date.now();
    const exit = await process.stop();
    const { code, signal } = exit;
    // Ended before Node listened for signals: nothing was in flight.
    const stillborn = signal === 'SIGTERM' && process.log() === '';
    if (code === 0 || stillborn) return exit;
    if (code === 1 && process.log().includes(CUT_OFF)) this.cutOff.push({ fromMs, toMs: Date.now() });
    else
      this.crashes.push(
        `${this.name} was told to stop: ${signal ?? `exit code ${code}`}, ${process.logFile}`,
      );
    return exit;
  }

  pause(): void {
    this.#running?.process.pause();
  }

  resume(): void {
    this.#running?.process.resume();
  }

  /** SIGHUP, once it has been ready: before that the signal would end it. @returns whether it was sent */
  reload(): boolean {
    if (!this.#joined) return false;
    this.#running?.process.signal('SIGHUP');
    return true;
  }

  /** Updates `peakMiB`; a process that has ended by itself counts as crashed and is restarted. */
  observe(): void {
    const process = this.#running?.process;
    if (process === undefined) return;
    if (process.exit !== undefined) {
      const { code, signal } = process.exit;
      this.crashes.push(`${this.name} ended by itself: ${signal ?? `exit code ${code}`}, ${process.logFile}`);
      this.start();
      return;
    }
    this.peakMiB = Math.max(this.peakMiB, peakMiB(process.pid));
  }

  #take(): PenstockProcess | undefined {
    const process = this.#running?.process;
    this.#running = undefined;
    this.#joined = false;
    return process;
  }
}

/** VmHWM of a process; 0 when it has just ended. */
function peakMiB(pid: number): number {
  try {
    return memoryMib(pid, 'VmHWM') || 0;
  } catch {
    return 0;
  }
}
