/** Child processes that never outlive the test that started them, and whose errors show their log. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessOptions {
  /** Name for error messages. */
  name: string;
  command: string;
  args: string[];
  /** Added to this process's environment; undefined removes a variable. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Standard output and error are appended here. */
  logFile: string;
}

export interface WaitOptions {
  /** How long to wait before giving up with an error. Milliseconds, default 60,000. */
  timeoutMs?: number;
}

/** How a process ended: its exit code, or the signal that ended it. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class ManagedProcess {
  readonly name: string;
  readonly logFile: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  #exit: Exit | undefined;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    this.logFile = options.logFile;
    const log = openSync(options.logFile, 'a');
    const [command, ...args] = boundToParent([options.command, ...options.args]);
    this.#child = spawn(command!, args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    closeSync(log);
    if (this.#child.pid === undefined) {
      this.#child.on('error', () => {});
      throw new Error(`cannot start ${options.name}: is ${options.command} installed and executable?`);
    }
    this.pid = this.#child.pid;
    this.#child.on('exit', (code, signal) => {
      this.#exit = { code, signal };
    });
    // A forgotten server does not keep its test alive, and ends with it.
    this.#child.unref();
    if (!hasSetpriv()) whenThisProcessEnds(['kill', '-KILL', String(this.pid)]);
  }

  /** How it ended, or undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Everything it has written so far. */
  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal);
  }

  /** SIGTERM, then SIGKILL if it has not ended in time. */
  async stop({ timeoutMs = 60_000 }: WaitOptions = {}): Promise<Exit> {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    try {
      return await this.waitForExit({ timeoutMs });
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.waitForExit();
  }

  /** Ends it for good, with what it keeps outside its folder. */
  async discard(): Promise<void> {
    await this.kill();
  }

  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  async waitForExit(options: WaitOptions = {}): Promise<Exit> {
    await poll(
      () => this.#exit !== undefined,
      options,
      () => this.#problem('did not end'),
    );
    return this.#exit!;
  }

  /** Waits until `check` is true. An error that it throws counts as "not yet"; an ended process is an error. */
  async waitUntil(
    what: string,
    check: () => boolean | Promise<boolean>,
    options: WaitOptions = {},
  ): Promise<void> {
    let last: unknown;
    const reason = () => (last === undefined ? '' : ` (last error: ${String(last)})`);
    await poll(
      async () => {
        if (this.#exit !== undefined) {
          throw this.#problem(
            `ended (${this.#exit.signal ?? `exit code ${this.#exit.code}`}) before ${what}${reason()}`,
          );
        }
        try {
          return await check();
        } catch (error) {
          last = error;
          return false;
        }
      },
      options,
      () => this.#problem(`still runs, but waiting for "${what}" took too long${reason()}`),
    );
  }

  /** Waits until the log has text that matches. Resolves to the match. */
  async waitForLog(pattern: RegExp, options: WaitOptions = {}): Promise<RegExpMatchArray> {
    let match: RegExpMatchArray | null = null;
    await this.waitUntil(`log line ${pattern}`, () => (match = this.log().match(pattern)) !== null, options);
    return match!;
  }

  /** Waits until a GET of the URL answers 2xx. */
  async waitForHttp(url: string, options: WaitOptions = {}): Promise<void> {
    const check = async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
      await response.arrayBuffer();
      return response.ok;
    };
    await this.waitUntil(`${url} answers 2xx`, check, options);
  }

  #problem(what: string): Error {
    const tail = this.log().trimEnd().split('\n').slice(-30).join('\n');
    return new Error(
      `${this.name} (pid ${this.pid}) ${what}. Its last log lines (${this.logFile}):\n${tail}`,
    );
  }
}

/**
 * A server starts in seconds, or in minutes on a busy machine, or when it checks its data after it was killed.
 */
export const START_TIMEOUT_MS = 180_000;

/** Waits until `check` is true, looking every 50 ms; throws the error of `late` when the time is over. */
export async function poll(
  check: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000 }: WaitOptions,
  late: () => Error,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw late();
    await sleep(50);
  }
}

let setpriv: boolean | undefined;

/** Whether util-linux' setpriv is there, which has the kernel end a child with its parent (Linux only). */
function hasSetpriv(): boolean {
  return (setpriv ??= succeeds('setpriv', ['--pdeathsig', 'KILL', 'true']));
}

function boundToParent(command: string[]): string[] {
  return hasSetpriv() ? ['setpriv', '--pdeathsig', 'KILL', '--', ...command] : command;
}

/** Whether the command runs and exits with 0. */
export function succeeds(command: string, args: string[], timeoutMs = 10_000): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: timeoutMs });
    return true;
  } catch {
    return false;
  }
}

/** Runs a command when this process ends, however it ends: a watcher sees the end of its standard input. */
export function whenThisProcessEnds(command: string[]): void {
  const script =
    'process.stdin.resume().on("end", () => { const [c, ...a] = process.argv.slice(1); ' +
    'require("node:child_process").spawnSync(c, a, { stdio: "ignore" }); });';
  const watcher = spawn(process.execPath, ['-e', script, '--', ...command], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  (watcher.stdin as unknown as { unref(): void }).unref();
}
