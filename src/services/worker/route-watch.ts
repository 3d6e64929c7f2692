import { formatSeries, type Labels } from '../../core/model/labels.ts';
import type { StepCounts } from '../../core/pipeline/step-counts.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';

/** The part of a route that the watch needs. */
export interface WatchedRoute {
  readonly name: string;
  readonly groupLabels: readonly string[];
}

/** New series of a route and group label since the last check. */
interface Seen {
  series: number;
  without: number;
  sinceMs: number;
}

/** Interval of log lines about the same fault. */
const LOG_EVERY_MS = 10 * 60_000;
/** A route is checked after this many new series, or after `JUDGE_AFTER_MS` if it has had `FEW_SERIES`. */
const ENOUGH_SERIES = 50;
const JUDGE_AFTER_MS = 60_000;
const FEW_SERIES = 10;
/** Share of the new series without a label from which on the label counts as lost, not as absent from some. */
const LOST_SHARE = 0.9;
/** Longest text of a series in a log line, in characters. */
const EXAMPLE_LENGTH = 500;

/**
 * Counts and logs mistakes in routing that cause no error: samples that no route takes, and group labels that the
 * series of a route do not have, so that all of them become one task.
 */
export class RouteWatch {
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #seen = new Map<string, Seen>();
  readonly #toldMs = new Map<string, number>();
  #unrouted = 0;
  #example: Labels = [];

  constructor(metrics: Metrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  /**
   * @param topic the ingest topic; @param routes those of the step; @param nowMs a clock that never steps back, in ms
   */
  step(topic: string, counts: StepCounts, routes: readonly WatchedRoute[], nowMs: number): void {
    if (counts.unroutedSamples > 0) this.#withoutRoute(topic, counts, nowMs);
    for (const [index, route] of routes.entries()) {
      const { newSeries = 0, newWithoutLabel = [] } = counts.routes[index] ?? {};
      if (newSeries > 0) this.#newSeries(route, newSeries, newWithoutLabel, nowMs);
    }
  }

  #withoutRoute(topic: string, { unroutedSamples, unroutedExample }: StepCounts, nowMs: number): void {
    this.#metrics.dropped.inc({ reason: 'no_route', route: '', topic }, unroutedSamples);
    this.#unrouted += unroutedSamples;
    this.#example = unroutedExample ?? this.#example;
    if (!this.#isDue('no_route', nowMs)) return;
    this.#log.warn(
      { samples: this.#unrouted, example: formatSeries(this.#example).slice(0, EXAMPLE_LENGTH) },
      'samples were dropped, since no route matches their series; give them a route, or one that drops them by a rule',
    );
    this.#unrouted = 0;
  }

  #newSeries(
    { name: route, groupLabels }: WatchedRoute,
    series: number,
    without: readonly number[],
    nowMs: number,
  ): void {
    this.#metrics.newSeries.inc({ route }, series);
    for (const [at, label] of groupLabels.entries()) {
      const lacking = without[at] ?? 0;
      this.#metrics.newSeriesWithoutLabel.inc({ route, label }, lacking);
      const key = `${route}\n${label}`;
      const seen = this.#seen.get(key) ?? { series: 0, without: 0, sinceMs: nowMs };
      seen.series += series;
      seen.without += lacking;
      this.#seen.set(key, seen);
      const isDue = nowMs - seen.sinceMs >= JUDGE_AFTER_MS && seen.series >= FEW_SERIES;
      if (!isDue && seen.series < ENOUGH_SERIES) continue;
      this.#seen.delete(key);
      if (seen.without >= seen.series * LOST_SHARE && this.#isDue(key, nowMs))
        this.#tellLost(route, label, seen);
    }
  }

  #tellLost(route: string, label: string, { series, without }: Seen): void {
    this.#log.warn(
      { route, label, series, without },
      `group label ${label} of route ${route} is on hardly any series after relabeling, so that it divides nothing: ` +
        'a rule removes it, or task.labels has another name for it (penstock explain shows a series rule by rule)',
    );
  }

  #isDue(what: string, nowMs: number): boolean {
    if (nowMs - (this.#toldMs.get(what) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return false;
    this.#toldMs.set(what, nowMs);
    return true;
  }
}
