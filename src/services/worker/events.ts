import type { TaskRecord } from '../../core/model/records.ts';
import type { DeadLetter } from '../../core/pipeline/dead-letter.ts';
import type { SeriesCacheStats } from '../../core/pipeline/series-cache.ts';
import type { StepCounts } from '../../core/pipeline/step-counts.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import { RouteWatch, type WatchedRoute } from './route-watch.ts';

/** A step that is committed. */
export interface PublishedStep {
  /** The ingest topic that it was read from. */
  readonly topic: string;
  /** The routes it ran with; a reload may have replaced them since. */
  readonly routes: readonly WatchedRoute[];
  readonly counts: StepCounts;
  readonly records: readonly TaskRecord[];
  readonly dead: readonly DeadLetter[];
  readonly publishSeconds: number;
}

/** Dead letters are logged at most this often; each is counted. */
const LOG_EVERY_MS = 10_000;

/** Events of a worker as metrics and log lines. Steps are counted once they are committed. */
export class IngestEvents {
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #watch: RouteWatch;
  #lastDeadLogged = Number.NEGATIVE_INFINITY;
  #unloggedDead = 0;
  #cache: SeriesCacheStats | undefined;

  constructor(metrics: Metrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
    this.#watch = new RouteWatch(metrics, log);
  }

  published(step: PublishedStep, nowMs: number): void {
    const { topic, counts, publishSeconds } = step;
    const metrics = this.#metrics;
    metrics.transactions.inc({ result: 'committed' });
    metrics.transactionSeconds.observe(publishSeconds);
    metrics.ingestRecords.inc({ topic }, counts.records);
    metrics.ingestBytes.inc({ topic }, counts.bytes);
    metrics.samples.inc({ stage: 'ingest', route: '', topic }, counts.samples);
    metrics.series.inc({ stage: 'ingest', route: '', topic }, counts.series);
    if (counts.withoutTime !== undefined) metrics.withoutTime.inc({ topic }, counts.withoutTime);
    if (counts.metadata > 0) metrics.uncarried.inc({ kind: 'metadata', topic }, counts.metadata);
    if (counts.unknownFields > 0)
      metrics.uncarried.inc({ kind: 'unknown_field', topic }, counts.unknownFields);
    for (const [kind, count] of Object.entries(counts.uncarried))
      metrics.uncarried.inc({ kind, topic }, count);
    for (const [kind, count] of Object.entries(counts.outOfRange))
      metrics.outOfRange.inc({ kind, topic }, count);
    for (const [kind, count] of Object.entries(counts.unstorable ?? {}))
      metrics.unstorable.inc({ kind, topic }, count);
    if (Number.isFinite(counts.newestSampleMs)) {
      metrics.publishLatency.observe(Math.max(0, nowMs - counts.newestSampleMs) / 1000);
    }
    this.#watch.step(topic, counts, step.routes, performance.now());
    const routes = step.routes.map(({ name }) => name);
    this.#routed(topic, counts, routes);
    for (const { route, value, samples, series } of step.records)
      this.#sent(routes[route] ?? '', value.length, samples, series);
    this.#deadLetters(step.dead);
  }

  /** Updates the cache's metrics. Its counters restart at 0 when a reload or a defect replaces the cache. */
  cache(stats: SeriesCacheStats): void {
    this.#metrics.cacheBytes.set(stats.bytes);
    this.#metrics.cacheEntries.set(stats.series);
    for (const result of ['predicted', 'found', 'missed', 'unkept', 'evicted'] as const) {
      const before = this.#cache?.[result] ?? 0;
      this.#metrics.cacheLookups.inc(
        { result },
        stats[result] < before ? stats[result] : stats[result] - before,
      );
    }
    this.#cache = stats;
  }

  #routed(topic: string, counts: StepCounts, routes: readonly string[]): void {
    for (const [index, { series, samples, droppedSamples }] of counts.routes.entries()) {
      const route = routes[index] ?? '';
      this.#metrics.samples.inc({ stage: 'route', route, topic }, samples);
      this.#metrics.series.inc({ stage: 'route', route, topic }, series);
      if (droppedSamples > 0) this.#metrics.dropped.inc({ reason: 'relabel', route, topic }, droppedSamples);
    }
  }

  #sent(route: string, bytes: number, samples: number, series: number): void {
    this.#metrics.publishRecords.inc({ route });
    this.#metrics.publishBytes.inc({ route }, bytes);
    this.#metrics.samples.inc({ stage: 'publish', route }, samples);
    this.#metrics.series.inc({ stage: 'publish', route }, series);
  }

  #deadLetters(dead: readonly DeadLetter[]): void {
    if (dead.length === 0) return;
    const nowMs = monotonicMs();
    for (const { stage, reason, source } of dead)
      this.#metrics.deadLetters.inc({ stage, reason, topic: source.topic });
    this.#unloggedDead += dead.length;
    if (nowMs - this.#lastDeadLogged < LOG_EVERY_MS) return;
    const { source, reason, message } = dead[0]!;
    this.#log.warn(
      {
        topic: source.topic,
        partition: source.partition,
        offset: String(source.offset),
        reason,
        error: message,
      },
      `${this.#unloggedDead} dead letters since the last such line; this is the newest step's first`,
    );
    this.#unloggedDead = 0;
    this.#lastDeadLogged = nowMs;
  }
}
