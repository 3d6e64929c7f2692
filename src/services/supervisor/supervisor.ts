import type { ChildProcess } from 'node:child_process';
import { ConfigError } from '../../core/model/errors.ts';
import { FatalKafkaError } from '../../io/kafka/errors.ts';
import type { Readiness } from '../../io/telemetry/admin-server.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import { labelled, mergedText } from '../../io/telemetry/merge.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import type { ConfigTexts } from './messages.ts';
import { type ProcessState, SupervisedProcess } from './supervised-process.ts';

/** A process that is silent for this long counts as hanging. */
const SILENT_MS = 60_000;
/** Grace period after the deadline in which a late process may still report and end by itself. */
const KILL_GRACE_MS = 2_500;

const STATES: readonly ProcessState[] = ['starting', 'running', 'waiting'];

/** How long the two phases of a reload wait for a process, in ms. */
export interface ReloadLimits {
  readonly prepareMs: number;
  readonly commitMs: number;
}

/** Together below the 30 s after which the admin server cuts off a client that waits for its answer. */
const RELOAD_LIMITS: ReloadLimits = { prepareMs: 15_000, commitMs: 5_000 };

export interface SupervisorOptions {
  readonly processes: number;
  /** Starts process `index`, with an IPC channel of `advanced` serialization; it holds a SupervisorLink. */
  readonly spawn: (index: number) => ChildProcess;
  /** The configuration that all processes begin with. */
  readonly texts: ConfigTexts;
}

/**
 * Runs the processes of one worker, and answers the operator for all of them.
 *
 * A process that ends is restarted after a growing pause. Its configuration comes from here, so that all processes run
 * with the same one even if the files have changed since.
 */
export class Supervisor {
  readonly #processes: readonly SupervisedProcess[];
  readonly #metrics: Metrics;
  readonly #failure = Promise.withResolvers<never>();
  #texts: ConfigTexts;
  readonly #limits: ReloadLimits;
  #reloads: Promise<unknown> = Promise.resolve();
  #lastReload = 0;

  constructor(options: SupervisorOptions, metrics: Metrics, log: Logger, limits = RELOAD_LIMITS) {
    this.#limits = limits;
    this.#texts = options.texts;
    this.#metrics = metrics;
    this.#failure.promise.catch(() => undefined);
    this.#processes = Array.from(
      { length: options.processes },
      (_, index) =>
        new SupervisedProcess(index, {
          spawn: () => options.spawn(index),
          texts: () => this.#texts,
          onRestart: () => metrics.processRestarts.inc({ process: String(index) }),
          onUnable: ({ wrongConfig, reason }) =>
            this.#failure.reject(new (wrongConfig ? ConfigError : FatalKafkaError)(reason)),
          log,
        }),
    );
    for (const { index } of this.#processes) metrics.processRestarts.inc({ process: String(index) }, 0);
  }

  /** Rejects when a process cannot go on for a reason that only the operator can fix. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  async start(): Promise<void> {
    for (const each of this.#processes) each.start();
  }

  /**
   * Applies a configuration in all processes or in none: first all prepare it, then all commit it. A process that hangs
   * has no vote: it is replaced. Reloads run one after the other.
   *
   * @throws ConfigError with the faults that the processes found; nothing has changed then
   */
  reload(texts: ConfigTexts): Promise<void> {
    const reload = this.#reloads.then(() => this.#reload(texts));
    this.#reloads = reload.catch(() => undefined);
    return reload;
  }

  async #reload(texts: ConfigTexts): Promise<void> {
    const { prepareMs, commitMs } = this.#limits;
    const reload = ++this.#lastReload;
    const answers = await Promise.all(this.#processes.map((each) => each.prepare(reload, texts, prepareMs)));
    const faults = answers.flatMap((answer, index) => {
      if (answer.kind === 'refused') return [answer.fault];
      return answer.kind === 'late' ? [`process ${index} was not ready for it within ${prepareMs} ms`] : [];
    });
    if (faults.length === 0 && !answers.some(({ kind }) => kind === 'ready'))
      faults.push('none of the processes answers now, so that nobody has checked it; try again');
    if (faults.length > 0) {
      for (const each of this.#processes) each.abort(reload);
      throw new ConfigError([...new Set(faults)].join('\n'));
    }
    this.#texts = texts; // processes started from now on get it
    await Promise.all(this.#processes.map((each) => each.commit(reload, texts, commitMs)));
  }

  /** @returns the number of processes that did not end cleanly */
  async stop(deadline: number): Promise<number> {
    await Promise.all(this.#processes.map((each) => each.stop(deadline + KILL_GRACE_MS)));
    return this.#processes.filter(({ failed }) => failed).length;
  }

  collect(): void {
    for (const state of STATES) {
      const count = this.#processes.filter((each) => each.state === state).length;
      this.#metrics.processes.set({ state }, count);
    }
  }

  /** One exposition for all processes: counts added up, figures of a process itself labelled with its number. */
  async scrape(): Promise<string> {
    await this.#refresh();
    const own = await this.#metrics.registry.getMetricsAsJSON();
    const parts = this.#processes.flatMap(({ metrics }) => metrics);
    return await mergedText([labelled(own, 'supervisor'), ...parts]);
  }

  /** Ready when every process runs and is ready. */
  readiness(): Readiness {
    for (const { index, state, last } of this.#processes) {
      if (last === undefined || state !== 'running')
        return { ready: false, reason: `process ${index} is ${state === 'waiting' ? 'restarted' : state}` };
      if (!last.readiness.ready)
        return { ready: false, reason: `process ${index}: ${last.readiness.reason}` };
    }
    return { ready: true };
  }

  /** Healthy unless a process hangs. */
  health(): Readiness {
    const hanging = this.#processes.find(({ silentMs }) => silentMs > SILENT_MS);
    if (hanging === undefined) return { ready: true };
    const seconds = Math.round(hanging.silentMs / 1000);
    return { ready: false, reason: `process ${hanging.index} has said nothing for ${seconds} s` };
  }

  async status(): Promise<object> {
    await this.#refresh();
    return {
      processes: this.#processes.map(({ index, pid, state, restarts, last }) => ({
        process: index,
        pid: pid ?? null,
        state,
        restarts,
        ...last?.status,
      })),
    };
  }

  async #refresh(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.refresh()));
  }
}
