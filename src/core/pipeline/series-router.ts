import { type Labels, labelValue } from '../model/labels.ts';
import { LabelBlock, type LabelLimits } from '../wire/label-block.ts';
import { OutputEncoder } from './output-encoder.ts';
import { EntryBuilder } from './series-entry.ts';

/** A compiled route as the pipeline needs it; `CompiledRoute` of core/route/route.ts is one. */
export interface PipelineRoute {
  readonly name: string;
  /** Position in the list of routes. */
  readonly index: number;
  readonly topic: string;
  /** A series, as received, has to match one of them. Empty: every series matches. */
  readonly selectors: readonly { matches(labels: Labels): boolean }[];
  /** `apply` returns undefined or no labels if a rule drops the series; it must not change its argument. */
  readonly relabeler: { apply(labels: Labels, between?: () => void): Labels | undefined };
  /** False if the relabeler has no rules: it is then not called. */
  readonly hasRules: boolean;
  /** Number of rules, for the cost of a new series; absent: unknown. */
  readonly rules?: number;
  /** Labels after relabeling ▸ 0 … count-1. */
  task(labels: Labels): number;
  /** Label that carries the task. */
  readonly taskLabel: string;
  readonly count: number;
  /** Group labels. For each of them, new series without it are counted. */
  readonly groupLabels?: readonly string[];
}

/** Series that were new to a route. */
export interface NewSeries {
  series: number;
  /** Number of them in which the label is absent or empty, by position in `groupLabels`. */
  readonly without: number[];
}

/** Cost of a new series in units of RecordBudget (0.5 µs): for decoding and keeping it, and for each rule. */
const SERIES_UNITS = 8;
const RULE_UNITS = 1;
/** With more bytes of labels than this a rule costs so much that the clock is read before each. */
const LONG_BYTES = 32 * 1024;
/** Bytes that a regular expression reads per unit, about. */
const RULE_BYTES_A_UNIT = 100;

/**
 * The cold path: a series seen for the first time is decoded and goes through every route.
 * The result is an entry for the cache.
 */
export class SeriesRouter {
  readonly #routes: readonly PipelineRoute[];
  readonly #limits: LabelLimits;
  readonly #encoders: readonly OutputEncoder[];
  readonly #block = new LabelBlock();
  /** Entries are built here; the cache copies them. */
  readonly #entry = new EntryBuilder();
  readonly #rules: number;
  #fresh: NewSeries[];
  #unrouted: Labels | undefined;

  constructor(routes: readonly PipelineRoute[], limits: LabelLimits) {
    this.#routes = routes;
    this.#limits = limits;
    this.#rules = routes.reduce((sum, { hasRules, rules = hasRules ? 1 : 0 }) => sum + rules, 0);
    this.#encoders = routes.map(({ taskLabel }) => new OutputEncoder(taskLabel));
    this.#fresh = routes.map(nothingNew);
  }

  /** New series since the last call, by route. */
  takeNew(): NewSeries[] {
    const fresh = this.#fresh;
    this.#fresh = this.#routes.map(nothingNew);
    return fresh;
  }

  /** Labels of a series that no route matched since the last call, if there was one. */
  takeUnrouted(): Labels | undefined {
    const unrouted = this.#unrouted;
    this.#unrouted = undefined;
    return unrouted;
  }

  /** Cost of `route` for `labelBytes` bytes of labels, in units of RecordBudget. */
  cost(labelBytes: number): number {
    return SERIES_UNITS + this.#rules * (RULE_UNITS + labelBytes / RULE_BYTES_A_UNIT);
  }

  /**
   * The entry of a series with the label fields in `[start, labelsEnd)`; the next call overwrites it.
   * Throws PoisonError if the labels cannot be used (see LabelBlock.decode).
   *
   * @param look reads the clock, and throws if the record's time is used up
   */
  route(raw: Buffer, view: DataView, start: number, labelsEnd: number, look?: () => void): EntryBuilder {
    const entry = this.#entry;
    this.#block.decode(raw, start, labelsEnd, this.#limits, view);
    const received = this.#block.labels;
    const between = labelsEnd - start > LONG_BYTES ? look : undefined;
    entry.begin(view, start, labelsEnd - start);
    let matched = false;
    for (const route of this.#routes) {
      between?.();
      if (!matchesAny(route, received)) continue;
      matched = true;
      const relabeled = route.hasRules ? route.relabeler.apply(received, between) : received;
      if (relabeled === undefined || relabeled.length === 0) {
        entry.addDropped(route.index);
        continue;
      }
      const task = route.task(relabeled);
      if (!(task >= 0 && task < route.count)) {
        throw new Error(`route ${route.name}: task ${task} is outside 0 … ${route.count - 1}`);
      }
      const {
        bytes,
        view: output,
        length,
      } = this.#encoders[route.index]!.encode(relabeled, task, this.#block, view);
      entry.addTask(route.index, task, bytes, output, length);
      this.#count(route, relabeled);
    }
    if (!matched) this.#unrouted ??= received.slice();
    return entry;
  }

  #count({ index, groupLabels = [] }: PipelineRoute, labels: Labels): void {
    const fresh = this.#fresh[index]!;
    fresh.series++;
    for (let at = 0; at < groupLabels.length; at++) {
      if (labelValue(labels, groupLabels[at]!) === '') fresh.without[at]!++;
    }
  }
}

function nothingNew({ groupLabels = [] }: PipelineRoute): NewSeries {
  return { series: 0, without: groupLabels.map(() => 0) };
}

function matchesAny(route: PipelineRoute, labels: Labels): boolean {
  if (route.selectors.length === 0) return true;
  for (const selector of route.selectors) if (selector.matches(labels)) return true;
  return false;
}
