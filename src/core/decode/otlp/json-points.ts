import { PoisonError } from '../../model/errors.ts';
import type { OtlpBounds } from './bounds.ts';
import {
  doubleMember,
  int32Member,
  int64Member,
  keyValues,
  list,
  object,
  oldLabels,
  uint64Member,
} from './json-fields.ts';
import { type JsonObject, namesOf, otherMembers } from './json-names.ts';
import type { OtlpSeries, Point } from './series.ts';

const DATA_MEMBERS: ReadonlySet<string> = new Set(['aggregationTemporality', 'isMonotonic']);
const POINT_MEMBERS: ReadonlySet<string> = new Set([
  'attributes',
  'labels',
  'startTimeUnixNano',
  'timeUnixNano',
  'exemplars',
  'flags',
]);
const VALUE_MEMBERS: ReadonlySet<string> = new Set([
  ...['asInt', 'asDouble', 'value'],
  ...['count', 'sum', 'min', 'max', 'bucketCounts', 'explicitBounds'],
  ...['scale', 'zeroCount', 'zeroThreshold', 'positive', 'negative'],
  'quantileValues',
]);

/**
 * Makes the series of a metric's data points, if `key` names a kind of data; names from before OTLP 0.9 count too.
 * Returns whether it does.
 */
export function readData(key: string, data: unknown, series: OtlpSeries): boolean {
  switch (key) {
    case 'gauge':
    case 'intGauge':
    case 'doubleGauge':
      for (const point of points(data, key, series.bounds)) number(point, 'gauge', series);
      return true;
    case 'sum':
    case 'intSum':
    case 'doubleSum': {
      const kind = object(data, key)['isMonotonic'] === true ? 'counter' : 'gauge';
      for (const point of points(data, key, series.bounds)) number(point, kind, series);
      return true;
    }
    case 'histogram':
    case 'intHistogram':
    case 'doubleHistogram':
      for (const point of points(data, key, series.bounds)) histogram(point, series);
      return true;
    case 'exponentialHistogram':
      for (const point of points(data, key, series.bounds)) exponential(point, series);
      return true;
    case 'summary':
    case 'doubleSummary':
      for (const point of points(data, key, series.bounds)) summary(point, series);
      return true;
    default:
      return false;
  }
}

function points(data: unknown, member: string, bounds: OtlpBounds): readonly JsonObject[] {
  const members = object(data, member);
  const { dataPoints } = members;
  if (dataPoints === undefined) {
    const others = otherMembers(members, DATA_MEMBERS);
    if (others.length > 0) throw unknownInstead(`${member}.dataPoints`, others);
  }
  return list(dataPoints, `${member}.dataPoints`).map((point) => {
    bounds.spend();
    return object(point, 'dataPoints');
  });
}

function number(point: JsonObject, kind: 'gauge' | 'counter', series: OtlpSeries): void {
  series.number(kind, { value: value(point), ...common(point, series) });
}

function common(point: JsonObject, series: OtlpSeries): Point {
  const { bounds } = series;
  lookForOthers(point, series);
  const attributes = keyValues(point['attributes'], 'attributes', bounds);
  const { labels } = point;
  return {
    attributes: labels === undefined ? attributes : [...oldLabels(labels, bounds), ...attributes],
    timeNs: uint64Member(point['timeUnixNano'], 'timeUnixNano'),
    startNs: uint64Member(point['startTimeUnixNano'], 'startTimeUnixNano'),
    flags: point['flags'] === undefined ? 0 : Number(uint64Member(point['flags'], 'flags') & 0xffffffffn),
    exemplars: list(point['exemplars'], 'exemplars').length,
  };
}

/**
 * Counts unknown members. In a point without attributes they are refused: they may be its attributes under another
 * name, without which the points of all senders would be one series.
 */
function lookForOthers(point: JsonObject, series: OtlpSeries): void {
  for (const key in point) {
    if (POINT_MEMBERS.has(key) || VALUE_MEMBERS.has(key)) continue;
    if (point['attributes'] === undefined && point['labels'] === undefined)
      throw unknownInstead('attributes in a data point', [key]);
    series.unknown();
  }
}

/** The value of a number point. Before OTLP 0.9 the member was `value` for both types. */
function value(point: JsonObject): number {
  const { asInt, asDouble, value: old } = point;
  if (asInt !== undefined && asInt !== null) return Number(int64Member(asInt, 'asInt'));
  if (asDouble !== undefined && asDouble !== null) return doubleMember(asDouble, 'asDouble');
  if (old !== undefined) return doubleMember(old, 'value');
  const others = otherMembers(point, POINT_MEMBERS);
  if (others.length > 0 && asInt === undefined && asDouble === undefined) {
    throw unknownInstead('value in a data point, neither asInt nor asDouble', others);
  }
  return 0;
}

function histogram(point: JsonObject, series: OtlpSeries): void {
  const { bounds } = series;
  series.histogram({
    ...common(point, series),
    ...countAndSum(point),
    bucketCounts: numbers(point['bucketCounts'], 'bucketCounts', bounds, uint64Member),
    explicitBounds: numbers(point['explicitBounds'], 'explicitBounds', bounds, doubleMember),
  });
}

function exponential(point: JsonObject, series: OtlpSeries): void {
  const { bounds } = series;
  series.exponential({
    ...common(point, series),
    ...countAndSum(point),
    scale: int32Member(point['scale'], 'scale'),
    zeroCount: uint64Member(point['zeroCount'], 'zeroCount'),
    zeroThreshold: doubleMember(point['zeroThreshold'], 'zeroThreshold'),
    positive: buckets(point['positive'], 'positive', bounds),
    negative: buckets(point['negative'], 'negative', bounds),
  });
}

function summary(point: JsonObject, series: OtlpSeries): void {
  const { bounds } = series;
  const items = list(point['quantileValues'], 'quantileValues');
  bounds.buckets(items.length, 'quantileValues');
  const quantiles = items.map((item) => {
    const { quantile, value: of } = object(item, 'quantileValues');
    return { quantile: doubleMember(quantile, 'quantile'), value: doubleMember(of, 'quantileValues.value') };
  });
  const { count } = countAndSum(point);
  series.summary({ ...common(point, series), count, sum: doubleMember(point['sum'], 'sum'), quantiles });
}

function countAndSum(point: JsonObject) {
  const { sum, min, max } = point;
  return {
    count: uint64Member(point['count'], 'count'),
    sum: sum === undefined || sum === null ? undefined : doubleMember(sum, 'sum'),
    hasMinMax: (min !== undefined && min !== null) || (max !== undefined && max !== null),
  };
}

function buckets(value: unknown, what: string, bounds: OtlpBounds) {
  const { offset, bucketCounts } = object(value, what);
  const counts = numbers(bucketCounts, `${what}.bucketCounts`, bounds, uint64Member);
  return { offset: int32Member(offset, `${what}.offset`), counts };
}

function numbers<T>(
  value: unknown,
  what: string,
  bounds: OtlpBounds,
  read: (item: unknown, what: string) => T,
): T[] {
  const items = list(value, what);
  bounds.buckets(items.length, what);
  bounds.spend(items.length / 2);
  return items.map((item) => read(item, what));
}

function unknownInstead(what: string, others: readonly string[]): PoisonError {
  return new PoisonError('decode', 'otlp_json', `there is no ${what}, but ${namesOf(others)}`);
}
