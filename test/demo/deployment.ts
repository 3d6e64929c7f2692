/** The demo's processes of Penstock, and the figures on their /metrics. */
import path from 'node:path';
import { removeRunFolder } from '../lab/cache.ts';
import { type MetricsPage, Rate, readMetrics } from '../lab/deployment/metrics-page.ts';
import { type PenstockProcess, spawnPenstock } from '../lab/deployment/penstock.ts';
import { launch } from '../lab/deployment/running.ts';
import { RAW_TOPIC } from './configuration.ts';
import type { NodeFigures, Snapshot, State, WorkerFigures } from './display.ts';

/** One process with an admin server. */
abstract class Member {
  readonly name: string;
  readonly command: string;
  readonly rate = new Rate();
  state: State = 'waiting';
  process: PenstockProcess | undefined;
  #admin = '';

  constructor(command: string, name: string) {
    this.command = command;
    this.name = name;
  }

  async start(configFile: string, env: Record<string, string> = {}): Promise<void> {
    const { process, admin } = await launch([this.command], { configFile, env });
    this.process = process;
    this.#admin = admin;
    this.state = 'starting';
  }

  /** Stops it as Kubernetes would. @throws Error unless it exits with 0. */
  async stop(): Promise<void> {
    if (this.process === undefined || this.state === 'stopped') return;
    this.state = 'stopping';
    const { code, signal } = await this.process.stop();
    this.state = 'stopped';
    if (code === 0) return;
    throw new Error(
      `${this.name} was told to stop and ended with ${signal ?? `exit code ${code}`}: ${this.process.logFile}`,
    );
  }

  /** Its /metrics; undefined while it does not answer. */
  protected async page(): Promise<MetricsPage | undefined> {
    if (this.state === 'waiting' || this.state === 'stopped') return undefined;
    return await readMetrics({ admin: this.#admin }).catch(() => undefined);
  }

  abstract read(): Promise<void>;
}

/** `penstock worker`. */
export class WorkerMember extends Member {
  #assigned = 0;
  #partitions: number[] = [];
  #lag: number | undefined;
  /** Samples committed to task topics. */
  published = 0;

  constructor(name: string) {
    super('worker', name);
  }

  async read(): Promise<void> {
    const page = await this.page();
    if (page === undefined) return;
    this.published = page.sum('penstock_samples_total', { stage: 'publish' });
    this.rate.add(this.published, Date.now());
    const lags = page.find('penstock_consumer_lag_records', { topic: RAW_TOPIC });
    this.#assigned = page.sum('penstock_assigned_partitions', { topic: RAW_TOPIC });
    this.#partitions = lags.map(({ labels }) => Number(labels['partition'])).sort((a, b) => a - b);
    this.#lag = lags.length > 0 ? lags.reduce((sum, { value }) => sum + value, 0) : undefined;
    if (this.state === 'starting' && this.#assigned > 0) this.state = 'running';
  }

  get figures(): WorkerFigures {
    return {
      name: this.name,
      state: this.state,
      assigned: this.#assigned,
      partitions: this.#partitions,
      samplesPerSecond: this.rate.perSecond,
      lag: this.#lag,
    };
  }
}

/** `penstock drain` beside one vmagent. */
export class DrainMember extends Member {
  readonly #latencySum = new Rate();
  readonly #latencyCount = new Rate();
  #tasks: Record<string, number> = {};
  #lag: number | undefined;
  /** Samples that the vmagent has accepted. */
  delivered = 0;

  constructor(node: string) {
    super('drain', node);
  }

  async read(): Promise<void> {
    const page = await this.page();
    if (page === undefined) return;
    const now = Date.now();
    this.delivered = page.sum('penstock_samples_total', { stage: 'deliver' });
    this.rate.add(this.delivered, now);
    this.#latencySum.add(page.sum('penstock_deliver_latency_seconds_sum'), now);
    this.#latencyCount.add(page.sum('penstock_deliver_latency_seconds_count'), now);
    const byRoute = page
      .find('penstock_drain_tasks')
      .map(({ labels, value }) => [labels['route']!, value] as const);
    this.#tasks = Object.fromEntries(byRoute);
    const lags = page.find('penstock_consumer_lag_records');
    this.#lag = lags.length > 0 ? lags.reduce((sum, { value }) => sum + value, 0) : undefined;
    if (this.state === 'starting' && page.sum('penstock_assigned_partitions') > 0) this.state = 'running';
  }

  get figures(): NodeFigures {
    const { name, state, rate } = this;
    const delivered = this.#latencyCount.growth;
    const latency = delivered > 0 ? this.#latencySum.growth / delivered : undefined;
    return { name, state, tasks: this.#tasks, samplesPerSecond: rate.perSecond, lag: this.#lag, latency };
  }
}

/** `penstock generate`, which prints its figures on standard error. */
export class GeneratorMember extends Member {
  #figures: Omit<Snapshot['generator'], 'state'> = { series: 0, pods: 0, samplesPerSecond: 0 };
  /** Samples written, from its latest line. */
  samples = 0;

  constructor() {
    super('generate', 'generate');
  }

  launch(configFile: string, args: string[]): void {
    this.process = spawnPenstock(['generate', ...args], { configFile });
    this.state = 'starting';
  }

  async read(): Promise<void> {
    const lines = [...(this.process?.log() ?? '').matchAll(PROGRESS)];
    const last = lines.at(-1);
    if (last === undefined) return;
    const [samples = 0, series = 0, pods = 0, samplesPerSecond = 0] = last
      .slice(1)
      .map((text) => Number(text ?? 0));
    this.samples = samples;
    this.#figures = { series, pods, samplesPerSecond };
    if (this.state === 'starting') this.state = 'running';
  }

  get figures(): Snapshot['generator'] {
    return { state: this.state, ...this.#figures };
  }
}

const PROGRESS = /(\d+) samples of (\d+) series from (\d+) pods(?:, \d+ pods now, (\d+) samples\/s)?/g;

/** All processes of the demo. */
export class Deployment {
  readonly workers: WorkerMember[];
  readonly drains: DrainMember[];
  readonly generator = new GeneratorMember();

  constructor(workers: readonly string[], nodes: readonly string[]) {
    this.workers = workers.map((name) => new WorkerMember(name));
    this.drains = nodes.map((name) => new DrainMember(name));
  }

  get members(): Member[] {
    return [this.generator, ...this.workers, ...this.drains];
  }

  /**
   * Samples known to have come this far. Samples that a vmagent has accepted were in a task topic, and those were
   * written: so a stale figure, of the generator or of a worker that has stopped, is raised to that of the next stage.
   */
  get totals(): Snapshot['totals'] {
    const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);
    const delivered = sum(this.drains.map((drain) => drain.delivered));
    const published = Math.max(delivered, sum(this.workers.map((worker) => worker.published)));
    return { written: Math.max(published, this.generator.samples), published, delivered };
  }

  /** Records not taken yet, as far as the processes know. */
  get lag(): number {
    const all = [...this.workers, ...this.drains].filter(({ state }) => state === 'running');
    return all.reduce((sum, { figures }) => sum + (figures.lag ?? 0), 0);
  }

  /** Reads the figures of every process. @throws Error when one has ended that should run */
  async read(): Promise<void> {
    for (const { state, process, name } of this.members) {
      if ((state === 'starting' || state === 'running') && process?.exit !== undefined) {
        const { code, signal } = process.exit;
        throw new Error(`${name} ended by itself (${signal ?? `exit code ${code}`}):\n${lastLines(process)}`);
      }
    }
    await Promise.all(this.members.map((member) => member.read()));
  }

  /** Stops what still runs. @throws AggregateError of those that did not end with 0 */
  async stop(): Promise<void> {
    const results = await Promise.allSettled(this.members.map((member) => member.stop()));
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('\n'));
  }

  /** Kills what still runs. */
  async kill(): Promise<void> {
    await Promise.allSettled(this.members.map(({ process }) => process?.kill()));
  }

  /** Deletes the logs. */
  removeLogs(): void {
    for (const { process } of this.members)
      if (process !== undefined) removeRunFolder(path.dirname(process.logFile));
  }

  /** Paths of the logs, one line per process. */
  get logs(): string[] {
    return this.members.flatMap(({ name, process }) =>
      process === undefined ? [] : `${name}: ${process.logFile}`,
    );
  }
}

function lastLines(process: PenstockProcess): string {
  return process.log().trimEnd().split('\n').slice(-15).join('\n');
}
