import { PoisonError } from '../../model/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import type { OtlpOptions } from '../decode-options.ts';
import type { DecodeContext, Decoded, Reject } from '../decoder.ts';
import { largestOutput, limitOutput } from '../output-limit.ts';
import { refusesRecord } from '../record-budget.ts';
import { extraLabels } from '../record-labels.ts';
import { formatExponent3, formatPlain } from '../text/go-float.ts';
import { INVALID_UTF8 } from '../text/utf8.ts';
import { Uncarried } from '../uncarried.ts';
import { attributeLabels, type KeyValues } from './attributes.ts';
import { OtlpBounds } from './bounds.ts';
import { labelName, type MetricKind, metricName } from './naming.ts';

/** A value; a bigint is the 64 bits of a NaN, which a number would not keep. */
export type Value = number | bigint;

/** Common fields of all data points. Times in ns since the epoch, 0 if absent. */
export interface Point {
  readonly attributes: KeyValues;
  readonly timeNs: bigint;
  readonly startNs: bigint;
  readonly flags: number;
  readonly exemplars: number;
}

export interface NumberPoint extends Point {
  readonly value: Value;
}

/** Counts are unsigned 64-bit integers. */
export interface HistogramPoint extends Point {
  readonly count: bigint;
  readonly sum: Value | undefined;
  readonly hasMinMax: boolean;
  readonly bucketCounts: readonly bigint[];
  readonly explicitBounds: readonly number[];
}

export interface Buckets {
  readonly offset: number;
  readonly counts: readonly bigint[];
}

export interface ExponentialPoint extends Point {
  readonly count: bigint;
  readonly sum: Value | undefined;
  readonly hasMinMax: boolean;
  readonly scale: number;
  readonly zeroCount: bigint;
  readonly zeroThreshold: number;
  readonly positive: Buckets;
  readonly negative: Buckets;
}

export interface SummaryPoint extends Point {
  readonly count: bigint;
  readonly sum: Value;
  readonly quantiles: readonly { readonly quantile: number; readonly value: Value }[];
}

/** `DataPointFlags.NO_RECORDED_VALUE`, and the value that such a point gets: Prometheus' staleness marker. */
const NO_RECORDED_VALUE = 1;
const STALE_NAN = 0x7ff0000000000002n;

/**
 * Makes series of OTLP data points as vmagent does (its lib/protoparser/opentelemetry): temporality is ignored,
 * time 0 stays 0, histograms become `_count`, `_sum` and cumulative `_bucket{le}`, exponential ones
 * `_bucket{vmrange}`, summaries `{quantile}`.
 *
 * If a label name repeats, such as on a point after its resource, the last one wins: vmagent passes both on and storage
 * keeps the last, but other receivers refuse such series.
 */
export class OtlpSeries {
  readonly bounds: OtlpBounds;
  readonly #builder: WriteRequestBuilder;
  readonly #options: OtlpOptions;
  readonly #uncarried = new Uncarried();
  readonly #largest: number;
  /** Labels for every series of the record, which win over all others. */
  readonly #extra: readonly (readonly [string, string])[];
  #resource = new Map<string, string>();
  #scope = new Map<string, string>();
  #name = '';
  #unit = '';
  #metrics = 0;

  /** Begins a record of `bodyBytes`. Throws PoisonError `record_arguments` if its headers are malformed. */
  constructor(builder: WriteRequestBuilder, options: OtlpOptions, bodyBytes: number, context: DecodeContext) {
    builder.reset();
    this.bounds = new OtlpBounds(context);
    this.#builder = builder;
    this.#options = options;
    this.#largest = largestOutput(bodyBytes, context);
    this.#extra = extraLabels(context.headers);
  }

  /** The decoded record. Exporters send requests without any metric when there is nothing to report. */
  finish(rejects: readonly Reject[]): Decoded {
    if (this.#metrics === 0 && rejects.length === 0) this.#uncarried.add('empty_record');
    return { body: this.#builder.finish(), rejects, ...this.#uncarried.field };
  }

  /**
   * Makes all series of one metric, or none: returns the metric's fault; throws if it is a fault of the whole record.
   *
   * @param read makes the series; returns whether the metric has metadata
   */
  whole(read: () => boolean): PoisonError | undefined {
    const { length, series } = this.#builder;
    this.#metrics++;
    try {
      if (read()) this.#uncarried.add('metadata');
      return undefined;
    } catch (error) {
      if (!(error instanceof PoisonError) || refusesRecord(error)) throw error;
      this.bounds.fault();
      this.#builder.rollBack(length, series);
      return error;
    }
  }

  /** Counts a field that OTLP's metrics do not have. */
  unknown(): void {
    this.#uncarried.add('unknown_field');
  }

  /** Counts a metric without data points. */
  withoutPoints(): void {
    this.#uncarried.add('metric_without_points');
  }

  resource(attributes: KeyValues): void {
    this.#resource = new Map();
    this.#add(this.#resource, attributes, '');
    this.#scope = this.#resource;
  }

  /** The scope of the metrics that follow; undefined: none. An absent name or version is `unknown`. */
  scope(scope: { name: string; version: string; attributes: KeyValues } | undefined): void {
    this.bounds.spend(1 + (this.#resource.size >> 2));
    this.#scope = new Map(this.#resource);
    if (!scope) return;
    const set = this.#set(this.#scope);
    set('scope.name', scope.name || 'unknown');
    set('scope.version', scope.version || 'unknown');
    this.#add(this.#scope, scope.attributes, 'scope.attributes');
  }

  /** The metric of the points that follow. */
  metric(name: string, unit: string): void {
    this.#name = name;
    this.#unit = unit;
  }

  number(kind: 'gauge' | 'counter', point: NumberPoint): void {
    const labels = this.#labels(point);
    this.#sample(this.#metricName(kind), labels, point, point.value);
  }

  histogram(point: HistogramPoint): void {
    const { bucketCounts, explicitBounds } = point;
    if (bucketCounts.length === 0) {
      this.#uncarried.add('histogram_without_buckets');
      return;
    }
    if (bucketCounts.length !== explicitBounds.length + 1) {
      this.#uncarried.add('histogram_with_wrong_buckets');
      return;
    }
    if (point.hasMinMax) this.#uncarried.add('histogram_min_max');
    const labels = this.#labels(point);
    const name = this.#metricName('histogram');
    this.#sample(`${name}_count`, labels, point, Number(point.count));
    if (point.sum !== undefined) this.#sample(`${name}_sum`, labels, point, point.sum);
    let cumulative = 0n;
    bucketCounts.forEach((count, i) => {
      cumulative = BigInt.asUintN(64, cumulative + count);
      const le = i < explicitBounds.length ? formatPlain(explicitBounds[i]!) : '+Inf';
      labels.set('le', le);
      this.#sample(`${name}_bucket`, labels, point, Number(cumulative));
    });
  }

  exponential(point: ExponentialPoint): void {
    if (point.hasMinMax) this.#uncarried.add('histogram_min_max');
    const labels = this.#labels(point);
    const name = this.#metricName('histogram');
    this.#sample(`${name}_count`, labels, point, Number(point.count));
    if (point.sum !== undefined) this.#sample(`${name}_sum`, labels, point, point.sum);
    const bucket = (from: number, to: number, count: bigint) => {
      labels.set('vmrange', `${formatExponent3(from)}...${formatExponent3(to)}`);
      this.#sample(`${name}_bucket`, labels, point, Number(count));
    };
    if (point.zeroCount > 0n) bucket(-point.zeroThreshold, point.zeroThreshold, point.zeroCount);
    const ratio = 2 ** -point.scale;
    const base = 2 ** ratio;
    for (const { offset, counts } of [point.positive, point.negative]) {
      const first = 2 ** (offset * ratio);
      counts.forEach((count, i) => {
        if (count === 0n) return;
        const lower = first * base ** i;
        const upper = lower * base;
        if (counts === point.positive.counts) bucket(lower, upper, count);
        else bucket(-upper, -lower, count);
      });
    }
  }

  summary(point: SummaryPoint): void {
    const labels = this.#labels(point);
    const name = this.#metricName('summary');
    this.#sample(`${name}_count`, labels, point, Number(point.count));
    this.#sample(`${name}_sum`, labels, point, point.sum);
    for (const { quantile, value } of point.quantiles) {
      labels.set('quantile', formatPlain(quantile));
      this.#sample(name, labels, point, value);
    }
  }

  #metricName(kind: MetricKind): string {
    return metricName(this.#name, this.#unit, kind, this.#options);
  }

  #labels(point: Point): Map<string, string> {
    if (point.startNs !== 0n) this.#uncarried.add('start_timestamp');
    if (point.exemplars > 0) this.#uncarried.add('exemplars', point.exemplars);
    this.bounds.spend(1 + (this.#scope.size >> 2));
    const labels = new Map(this.#scope);
    this.#add(labels, point.attributes, '');
    return labels;
  }

  #add(labels: Map<string, string>, attributes: KeyValues, prefix: string): void {
    attributeLabels(attributes, prefix, this.#set(labels));
  }

  #set(labels: Map<string, string>): (name: string, value: string) => void {
    return (name, value) => labels.set(labelName(name, this.#options), value);
  }

  #sample(name: string, labels: Map<string, string>, point: Point, value: Value): void {
    const builder = this.#builder;
    limitOutput(builder.length, this.#largest);
    this.bounds.series(labels.size);
    for (const [extraName, extraValue] of this.#extra) labels.set(extraName, extraValue);
    builder.beginSeries();
    builder.label(METRIC_NAME, labels.get(METRIC_NAME) ?? name);
    for (const [label, text] of labels) if (label !== METRIC_NAME) builder.label(label, text);
    if (!builder.isWellFormed) {
      throw new PoisonError(
        'decode',
        INVALID_UTF8,
        'the metric has a name or an attribute that is not UTF-8',
      );
    }
    const timeMs = Number(point.timeNs / 1_000_000n);
    if ((point.flags & NO_RECORDED_VALUE) !== 0) builder.sampleBits(STALE_NAN, timeMs);
    else if (typeof value === 'bigint') builder.sampleBits(value, timeMs);
    else builder.sample(value, timeMs);
    builder.endSeries();
  }
}
