import { readFileSync } from 'node:fs';
import { type PenstockProcess, spawnPenstock } from '../support/penstock.ts';

export interface SlotOptions {
  readonly name: string;
  readonly command: 'worker' | 'drain';
  readonly configFile: string;
  readonly adminPort: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a process says when its deadline was too short, and not all of its work done. */
const CUT_OFF = 'stopped at the deadline';
/** What a process says when it was cut off from Kafka, or stood still, for so long that it lost its partitions. */
const HANG = /"time":"([^"]+)".*"msg":"(?:evicted|consumer restarts)/;

/** One place in the deployment: a process of Penstock, and after each kill its successor. */
export class Slot {
  readonly name: string;
  /** Ends that nobody caused: exit codes and log files. */
  readonly crashes: string[] = [];
  /** Clean stops that ended at the deadline, with exit code 1. */
  cutOff = 0;
  /** Largest resident size of any of its processes, in MiB. */
  peakMiB = 0;
  readonly #options: SlotOptions;
  readonly #logFiles: string[] = [];
  #process: PenstockProcess | undefined;

  constructor(options: SlotOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exit === undefined;
  }

  get logFile(): string {
    return this.#process?.logFile ?? '';
  }

  start(): void {
    const { command, configFile, adminPort, env } = this.#options;
    this.#process = spawnPenstock([command], {
      configFile,
      env: {
        PENSTOCK_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        PENSTOCK_LOG_LEVEL: 'debug',
        PENSTOCK_STOP_DEADLINE: '10s',
        ...env,
      },
    });
    this.#logFiles.push(this.#process.logFile);
  }

  /** Times at which one of its processes found that it had lost its partitions, ms since the epoch. */
  hangs(): number[] {
    const lines = this.#logFiles.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
    return lines.flatMap((line) => {
      const time = HANG.exec(line)?.[1];
      return time === undefined ? [] : [Date.parse(time)];
    });
  }

  async ready(): Promise<void> {
    await this.#process?.waitForReady(this.#options.adminPort);
  }

  async kill(): Promise<void> {
    this.observe();
    const process = this.#take();
    await process?.kill();
  }

  /** SIGTERM, and the end that it should come to. */
  async stop(): Promise<void> {
    this.observe();
    const process = this.#take();
    if (process === undefined) return;
    const { code, signal } = await process.stop();
    // So early that Node had not yet begun to listen for signals: nothing was in flight.
    const stillborn = signal === 'SIGTERM' && process.log() === '';
    if (code === 0 || stillborn) return;
    if (code === 1 && process.log().includes(CUT_OFF)) this.cutOff += 1;
    else
      this.crashes.push(
        `${this.name} was told to stop: ${signal ?? `exit code ${code}`}, ${process.logFile}`,
      );
  }

  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  /** Looks whether it still runs, and how large it has become. */
  observe(): void {
    const process = this.#process;
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
    const process = this.#process;
    this.#process = undefined;
    return process;
  }
}

/** VmHWM of a process; 0 when it has just ended. */
function peakMiB(pid: number): number {
  try {
    const kiB = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kiB ?? 0) / 1024;
  } catch {
    return 0;
  }
}
