import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../../io/telemetry/log.ts';
import { accumulated, labelled, type MetricValues, merged } from '../../io/telemetry/merge.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { Backoff, sleep, within } from '../../io/time/sleep.ts';
import type { ConfigTexts, Message, Order, ProcessReport } from './messages.ts';

const RESTART_MIN_MS = 500;
const RESTART_MAX_MS = 30_000;
/** A process that has run for this long resets the restart backoff. */
const STEADY_MS = 60_000;
/** Most time a scrape waits for a report; after it the last report is used. */
const REPORT_TIMEOUT_MS = 2_000;

/** `waiting`: it ended unasked, and is restarted after a pause. */
export type ProcessState = 'starting' | 'running' | 'waiting' | 'stopped';

/** A fault that keeps a process from going on and that only the operator can fix. */
export interface Unable {
  readonly wrongConfig: boolean;
  readonly reason: string;
}

/**
 * Outcome of the first phase of a reload. `late`: the process sent something, but was not ready in time. `silent`: it
 * sent nothing. `away`: no process runs; the next one starts with the configuration in force then.
 */
export type Preparation =
  | { readonly kind: 'ready' | 'late' | 'silent' | 'away' }
  | { readonly kind: 'refused'; readonly fault: string };

type Answer = Extract<Message, { readonly kind: 'prepared' | 'committed' }> | 'late' | 'ended';

export interface SupervisedProcessOptions {
  /** Starts the program, with an IPC channel of `advanced` serialization. */
  readonly spawn: () => ChildProcess;
  /** The configuration to start with. */
  readonly texts: () => ConfigTexts;
  readonly onRestart: () => void;
  readonly onUnable: (unable: Unable) => void;
  readonly log: Logger;
}

/**
 * One of a worker's processes, across restarts.
 *
 * ```
 * starting ──▶ running ──▶ waiting ──▶ starting        it ended unasked: restart after a growing pause
 *     └───────────┴──────────▶ stopped                 ordered to, or it reported that it is unable to go on
 * ```
 *
 * A process that ends for a reason that only the operator can fix is not restarted, as without a supervisor. Except
 * when it fails while restarting: it could start before, so it may again.
 */
export class SupervisedProcess {
  readonly index: number;
  readonly #options: SupervisedProcessOptions;
  readonly #now: () => number;
  readonly #backoff = new Backoff(RESTART_MIN_MS, RESTART_MAX_MS);
  readonly #stopping = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  #state: ProcessState = 'starting';
  #child: ChildProcess | undefined;
  #texts: ConfigTexts | undefined;
  #last: ProcessReport | undefined;
  /** Counters of former processes, which must not go back at a restart. */
  readonly #lives: MetricValues[] = [];
  #everRan = false;
  #restarts = 0;
  #startedMs: number;
  #heardMs: number;
  #failed = false;
  #unable: Unable | undefined;
  #reported = Promise.withResolvers<void>();
  /** Number of the reload that the current process has prepared. */
  #prepared: number | undefined;
  /** The pending answer. */
  #answer: { readonly reload: number; readonly arrived: PromiseWithResolvers<Answer> } | undefined;

  constructor(index: number, options: SupervisedProcessOptions, now: () => number = monotonicMs) {
    this.index = index;
    this.#options = options;
    this.#now = now;
    this.#startedMs = this.#heardMs = now();
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Last report of the current process. */
  get last(): ProcessReport | undefined {
    return this.#last;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** True once it has stopped otherwise than asked: unable to go on, killed, or with an exit code. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Metrics of the current process and counters of former ones. */
  get metrics(): readonly MetricValues[] {
    return [...this.#lives, this.#named(this.#last)];
  }

  /** Time since the current process was last heard of, in ms; 0 without one. */
  get silentMs(): number {
    return this.#child === undefined ? 0 : this.#now() - this.#heardMs;
  }

  start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#state = 'starting';
    this.#startedMs = this.#now();
    this.#heardMs = this.#startedMs;
    this.#texts = this.#options.texts();
    const child = this.#options.spawn();
    this.#child = child;
    child.on('message', (message) => this.#hear(message as Message));
    child.once('error', (error) => this.#ended(`cannot be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      const end = () => this.#ended(signal ?? `exit code ${code}`, code === 0);
      // Messages sent before it ended still arrive.
      if (child.connected) child.once('disconnect', end);
      else end();
    });
    this.#send({ kind: 'start', texts: this.#texts });
  }

  /** Asks for a report and waits for it, at most `REPORT_TIMEOUT_MS`. */
  async refresh(): Promise<void> {
    if (this.#child === undefined) return;
    this.#send({ kind: 'report' });
    await within(this.#reported.promise, REPORT_TIMEOUT_MS);
  }

  /** First phase of a reload: the process prepares these texts. Waits `limitMs` at most. */
  async prepare(reload: number, texts: ConfigTexts, limitMs: number): Promise<Preparation> {
    if (this.#child === undefined) return { kind: 'away' };
    const startedMs = this.#now();
    this.#send({ kind: 'prepare', reload, texts });
    const answer = await this.#answered(reload, limitMs);
    if (answer === 'ended') return { kind: 'away' };
    if (answer === 'late') return { kind: this.#heardMs > startedMs ? 'late' : 'silent' };
    if (answer.kind === 'prepared' && answer.fault !== undefined)
      return { kind: 'refused', fault: answer.fault };
    this.#prepared = reload;
    return { kind: 'ready' };
  }

  /** Calls the reload off. */
  abort(reload: number): void {
    this.#prepared = undefined;
    this.#send({ kind: 'abort', reload });
  }

  /**
   * Second phase: the prepared `texts` take effect. A process that has not prepared them, since it hangs or was started
   * with others meanwhile, or that does not confirm within `limitMs`, is killed; the next one starts with them.
   */
  async commit(reload: number, texts: ConfigTexts, limitMs: number): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.#texts === texts || this.#stopping.signal.aborted) return;
    if (this.#prepared === reload) {
      this.#send({ kind: 'commit', reload });
      const answer = await this.#answered(reload, limitMs);
      if (this.#child !== child) return;
      if (typeof answer === 'object') {
        this.#texts = texts;
        return;
      }
    }
    this.#options.log.error(
      { child: this.index, pid: child.pid },
      `process ${this.index} did not take the new configuration; it is replaced by one that starts with it`,
    );
    child.kill('SIGKILL');
  }

  async #answered(reload: number, limitMs: number): Promise<Answer> {
    const arrived = Promise.withResolvers<Answer>();
    this.#answer = { reload, arrived };
    const enough = new AbortController();
    const late = sleep(limitMs, enough.signal).then((): Answer => 'late');
    const answer = await Promise.race([arrived.promise, late]);
    enough.abort();
    this.#answer = undefined;
    return answer;
  }

  /** Lets it finish; at `deadline` (`monotonicMs`) it is killed. */
  async stop(deadline: number): Promise<void> {
    this.#stopping.abort();
    if (this.#child === undefined) this.#finish();
    else this.#send({ kind: 'stop' });
    await within(this.#stopped.promise, deadline - this.#now());
    this.#child?.kill('SIGKILL');
    await this.#stopped.promise;
  }

  #send(order: Order): void {
    // A process that has just ended takes nothing: its `exit` event tells.
    this.#child?.send(order, () => undefined);
  }

  #hear(message: Message): void {
    this.#heardMs = this.#now();
    switch (message.kind) {
      case 'report':
        this.#last = message.report;
        if (message.report.running) {
          this.#everRan = true;
          if (this.#state === 'starting') this.#state = 'running';
        }
        this.#reported.resolve();
        this.#reported = Promise.withResolvers();
        return;
      case 'prepared':
      case 'committed':
        if (this.#answer?.reload === message.reload) this.#answer.arrived.resolve(message);
        return;
      case 'unable':
        this.#unable = message;
    }
  }

  #ended(how: string, wellDone = false): void {
    if (this.#child === undefined) return;
    const { pid } = this.#child;
    const wasRunning = this.#state === 'running';
    const unable = this.#unable;
    const last = this.#named(this.#last);
    this.#child = undefined;
    this.#last = undefined;
    this.#unable = undefined;
    this.#reported.resolve();
    this.#prepared = undefined;
    this.#answer?.arrived.resolve('ended');
    this.#lives.push(accumulated(last));
    void this.#addUp();
    if (this.#now() - this.#startedMs > STEADY_MS) this.#backoff.reset();
    if (this.#stopping.signal.aborted) {
      this.#failed = !wellDone;
      this.#finish();
    } else if (unable !== undefined && (wasRunning || !this.#everRan)) {
      this.#failed = true;
      this.#finish();
      this.#options.onUnable(unable);
    } else {
      void this.#restart(how, pid);
    }
  }

  async #restart(how: string, pid: number | undefined): Promise<void> {
    const { log, onRestart } = this.#options;
    this.#state = 'waiting';
    const retryInMs = Math.round(this.#backoff.next());
    log.error(
      { child: this.index, pid, retryInMs },
      `process ${this.index} ended (${how}); it is started again`,
    );
    this.#restarts += 1;
    onRestart();
    await sleep(retryInMs, this.#stopping.signal);
    if (this.#stopping.signal.aborted) this.#finish();
    else this.start();
  }

  async #addUp(): Promise<void> {
    const lives = [...this.#lives];
    const sum = await merged(lives);
    this.#lives.splice(0, lives.length, sum);
  }

  #finish(): void {
    this.#state = 'stopped';
    this.#stopped.resolve();
  }

  #named(report: ProcessReport | undefined): MetricValues {
    return report === undefined ? [] : labelled(report.metrics, String(this.index));
  }
}
