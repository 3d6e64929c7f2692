import type { ProtobufReader } from '../../wire/protobuf-reader.ts';
import type { AnyValue } from './attributes.ts';
import type { OtlpBounds } from './bounds.ts';
import {
  double,
  fixed64,
  keyValue,
  message,
  oldLabel,
  plainDouble,
  repeatedFixed64,
  repeatedUint64,
  sint32,
  skip,
  uint32,
} from './fields.ts';
import type { OtlpSeries, SummaryPoint, Value } from './series.ts';

/** Data points as opentelemetry/proto/metrics/v1/metrics.proto has them. Each function reads one and makes its series. */

export function numberPoint(fields: ProtobufReader, kind: 'gauge' | 'counter', series: OtlpSeries): void {
  const attributes: [string, AnyValue][] = [];
  const point = { attributes, timeNs: 0n, startNs: 0n, flags: 0, exemplars: 0, value: 0 as Value };
  while (series.bounds.next(fields)) {
    switch (fields.field) {
      case 1:
        oldLabel(fields, 'NumberDataPoint.labels', attributes, series.bounds);
        break;
      case 2:
        point.startNs = fixed64(fields, 'NumberDataPoint.start_time_unix_nano');
        break;
      case 3:
        point.timeNs = fixed64(fields, 'NumberDataPoint.time_unix_nano');
        break;
      case 4:
        point.value = double(fields, 'NumberDataPoint.as_double');
        break;
      case 5:
        point.exemplars++;
        skip(fields);
        break;
      case 6:
        point.value = Number(BigInt.asIntN(64, fixed64(fields, 'NumberDataPoint.as_int')));
        break;
      case 7:
        keyValue(fields, 'NumberDataPoint.attributes', attributes, series.bounds);
        break;
      case 8:
        point.flags = uint32(fields, 'NumberDataPoint.flags');
        break;
      default:
        series.unknown();
        skip(fields);
    }
  }
  series.number(kind, point);
}

export function histogramPoint(fields: ProtobufReader, series: OtlpSeries): void {
  const attributes: [string, AnyValue][] = [];
  const bucketCounts: bigint[] = [];
  const explicitBounds: number[] = [];
  const lists = { attributes, bucketCounts, explicitBounds };
  const point = { ...lists, ...empty(), hasMinMax: false, sum: undefined as Value | undefined };
  while (series.bounds.next(fields)) {
    switch (fields.field) {
      case 1:
        oldLabel(fields, 'HistogramDataPoint.labels', attributes, series.bounds);
        break;
      case 2:
        point.startNs = fixed64(fields, 'HistogramDataPoint.start_time_unix_nano');
        break;
      case 3:
        point.timeNs = fixed64(fields, 'HistogramDataPoint.time_unix_nano');
        break;
      case 4:
        point.count = fixed64(fields, 'HistogramDataPoint.count');
        break;
      case 5:
        point.sum = double(fields, 'HistogramDataPoint.sum');
        break;
      case 6:
        repeatedFixed64(fields, 'HistogramDataPoint.bucket_counts', bucketCounts, series.bounds, (view) =>
          view.getBigUint64(0, true),
        );
        break;
      case 7:
        repeatedFixed64(fields, 'HistogramDataPoint.explicit_bounds', explicitBounds, series.bounds, (view) =>
          view.getFloat64(0, true),
        );
        break;
      case 8:
        point.exemplars++;
        skip(fields);
        break;
      case 9:
        keyValue(fields, 'HistogramDataPoint.attributes', attributes, series.bounds);
        break;
      case 10:
        point.flags = uint32(fields, 'HistogramDataPoint.flags');
        break;
      case 11:
      case 12:
        point.hasMinMax = true;
        skip(fields);
        break;
      default:
        series.unknown();
        skip(fields);
    }
  }
  series.histogram(point);
}

export function exponentialPoint(fields: ProtobufReader, series: OtlpSeries): void {
  const attributes: [string, AnyValue][] = [];
  const positive = { offset: 0, counts: [] as bigint[] };
  const negative = { offset: 0, counts: [] as bigint[] };
  const numbers = { scale: 0, zeroCount: 0n, zeroThreshold: 0, hasMinMax: false };
  const sum = undefined as Value | undefined;
  const point = { attributes, positive, negative, ...empty(), ...numbers, sum };
  while (series.bounds.next(fields)) {
    switch (fields.field) {
      case 1:
        keyValue(fields, 'ExponentialHistogramDataPoint.attributes', attributes, series.bounds);
        break;
      case 2:
        point.startNs = fixed64(fields, 'ExponentialHistogramDataPoint.start_time_unix_nano');
        break;
      case 3:
        point.timeNs = fixed64(fields, 'ExponentialHistogramDataPoint.time_unix_nano');
        break;
      case 4:
        point.count = fixed64(fields, 'ExponentialHistogramDataPoint.count');
        break;
      case 5:
        point.sum = double(fields, 'ExponentialHistogramDataPoint.sum');
        break;
      case 6:
        point.scale = sint32(fields, 'ExponentialHistogramDataPoint.scale');
        break;
      case 7:
        point.zeroCount = fixed64(fields, 'ExponentialHistogramDataPoint.zero_count');
        break;
      case 8:
        buckets(message(fields, 'ExponentialHistogramDataPoint.positive'), positive, series.bounds);
        break;
      case 9:
        buckets(message(fields, 'ExponentialHistogramDataPoint.negative'), negative, series.bounds);
        break;
      case 10:
        point.flags = uint32(fields, 'ExponentialHistogramDataPoint.flags');
        break;
      case 11:
        point.exemplars++;
        skip(fields);
        break;
      case 12:
      case 13:
        point.hasMinMax = true;
        skip(fields);
        break;
      case 14:
        point.zeroThreshold = plainDouble(fields, 'ExponentialHistogramDataPoint.zero_threshold');
        break;
      default:
        series.unknown();
        skip(fields);
    }
  }
  series.exponential(point);
}

export function summaryPoint(fields: ProtobufReader, series: OtlpSeries): void {
  const attributes: [string, AnyValue][] = [];
  const quantiles: { quantile: number; value: Value }[] = [];
  const point = { attributes, quantiles, ...empty(), sum: 0 as Value } satisfies SummaryPoint;
  while (series.bounds.next(fields)) {
    switch (fields.field) {
      case 1:
        oldLabel(fields, 'SummaryDataPoint.labels', attributes, series.bounds);
        break;
      case 2:
        point.startNs = fixed64(fields, 'SummaryDataPoint.start_time_unix_nano');
        break;
      case 3:
        point.timeNs = fixed64(fields, 'SummaryDataPoint.time_unix_nano');
        break;
      case 4:
        point.count = fixed64(fields, 'SummaryDataPoint.count');
        break;
      case 5:
        point.sum = double(fields, 'SummaryDataPoint.sum');
        break;
      case 6:
        series.bounds.buckets(quantiles.length + 1, 'SummaryDataPoint.quantile_values');
        quantiles.push(valueAtQuantile(message(fields, 'SummaryDataPoint.quantile_values'), series.bounds));
        break;
      case 7:
        keyValue(fields, 'SummaryDataPoint.attributes', attributes, series.bounds);
        break;
      case 8:
        point.flags = uint32(fields, 'SummaryDataPoint.flags');
        break;
      default:
        series.unknown();
        skip(fields);
    }
  }
  series.summary(point);
}

function empty() {
  return { timeNs: 0n, startNs: 0n, flags: 0, exemplars: 0, count: 0n };
}

function buckets(
  fields: ProtobufReader,
  into: { offset: number; counts: bigint[] },
  bounds: OtlpBounds,
): void {
  while (bounds.next(fields)) {
    if (fields.field === 1) into.offset = sint32(fields, 'Buckets.offset');
    else if (fields.field === 2) repeatedUint64(fields, 'Buckets.bucket_counts', into.counts, bounds);
    else skip(fields);
  }
}

function valueAtQuantile(fields: ProtobufReader, bounds: OtlpBounds): { quantile: number; value: Value } {
  let quantile = 0;
  let value: Value = 0;
  while (bounds.next(fields)) {
    if (fields.field === 1) quantile = plainDouble(fields, 'ValueAtQuantile.quantile');
    else if (fields.field === 2) value = double(fields, 'ValueAtQuantile.value');
    else skip(fields);
  }
  return { quantile, value };
}
