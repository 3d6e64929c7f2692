import { isUtf8 } from 'node:buffer';
import { errorMessage, PoisonError } from '../model/errors.ts';
import { WriteRequestBuilder } from '../wire/write-request-builder.ts';
import { DEFAULT_OTLP, type OtlpOptions } from './decode-options.ts';
import type { DecodeContext, Decoded, Decoder, Reject } from './decoder.ts';
import {
  double,
  int32,
  int64,
  type JsonObject,
  keyValues,
  list,
  object,
  text,
  uint64,
} from './otlp-json-fields.ts';
import { OtlpSeries, type Point } from './otlp-series.ts';

const CONTENT_TYPE = 'application/x-otlp+json';

/**
 * OTLP metrics in JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"), one ExportMetricsServiceRequest
 * a record. Series, rejects and counts are those of `otlpDecoder`; unknown members are not looked at.
 */
export function otlpJsonDecoder(options: Partial<OtlpOptions> = {}): Decoder {
  const settings = { ...DEFAULT_OTLP, ...options };
  const builder = new WriteRequestBuilder();
  return {
    name: 'otlp_json',
    contentTypes: [CONTENT_TYPE],
    defaultContentEncoding: 'identity',
    decode: (body, context) => decode(body, context, settings, builder),
  };
}

interface BadMetric {
  readonly resource: unknown;
  readonly scope: unknown;
  readonly metrics: unknown[];
}

function decode(
  body: Buffer,
  context: DecodeContext,
  options: OtlpOptions,
  builder: WriteRequestBuilder,
): Decoded {
  const series = new OtlpSeries(builder, options, body.length, context);
  const bad: BadMetric[] = [];
  let first: PoisonError | undefined;
  for (const item of list(parse(body)['resourceMetrics'], 'resourceMetrics')) {
    const { resource, scopeMetrics } = object(item, 'resourceMetrics');
    series.resource(keyValues(object(resource, 'resource')['attributes'], 'resource.attributes'));
    for (const scopeItem of list(scopeMetrics, 'scopeMetrics')) {
      const { scope, metrics } = object(scopeItem, 'scopeMetrics');
      series.scope(readScope(scope));
      const badMetrics: unknown[] = [];
      for (const one of list(metrics, 'metrics')) {
        const error = series.whole(() => metric(object(one, 'metric'), series));
        first ??= error;
        if (error !== undefined) badMetrics.push(one);
      }
      if (badMetrics.length > 0) bad.push({ resource, scope, metrics: badMetrics });
    }
  }
  return series.finish(first ? [reject(first, bad, body)] : []);
}

function parse(body: Buffer): JsonObject {
  if (!isUtf8(body)) throw new PoisonError('decode', 'invalid_utf8', 'the record is not UTF-8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch (error) {
    throw new PoisonError('decode', 'json', `the record is not JSON: ${errorMessage(error)}`);
  }
  const request = object(parsed, 'the record');
  if (!Object.hasOwn(request, 'resourceMetrics')) {
    throw new PoisonError('decode', 'otlp_json', 'the record is not OTLP: it has no "resourceMetrics"');
  }
  return request;
}

function readScope(
  scope: unknown,
): { name: string; version: string; attributes: ReturnType<typeof keyValues> } | undefined {
  if (scope === undefined || scope === null) return undefined;
  const { name, version, attributes } = object(scope, 'scope');
  return {
    name: text(name, 'scope.name'),
    version: text(version, 'scope.version'),
    attributes: keyValues(attributes, 'scope.attributes'),
  };
}

/** Makes the series of one metric. True where it has metadata. */
function metric(members: JsonObject, series: OtlpSeries): boolean {
  const name = text(members['name'], 'metric.name');
  const unit = text(members['unit'], 'metric.unit');
  if (name === '') throw new PoisonError('decode', 'no_metric_name', 'a metric without a name');
  series.metric(name, unit);
  const points = (member: string) => {
    const { dataPoints } = object(members[member], member);
    return list(dataPoints, `${member}.dataPoints`).map((point) => object(point, `${member}.dataPoints`));
  };
  for (const point of points('gauge')) series.number('gauge', { ...common(point), value: value(point) });
  const kind = object(members['sum'], 'sum')['isMonotonic'] === true ? 'counter' : 'gauge';
  for (const point of points('sum')) series.number(kind, { ...common(point), value: value(point) });
  for (const point of points('histogram')) {
    series.histogram({
      ...common(point),
      ...countAndSum(point),
      bucketCounts: list(point['bucketCounts'], 'bucketCounts').map((n) => uint64(n, 'bucketCounts')),
      explicitBounds: list(point['explicitBounds'], 'explicitBounds').map((n) => double(n, 'explicitBounds')),
    });
  }
  for (const point of points('exponentialHistogram')) {
    series.exponential({
      ...common(point),
      ...countAndSum(point),
      scale: int32(point['scale'], 'scale'),
      zeroCount: uint64(point['zeroCount'], 'zeroCount'),
      zeroThreshold: double(point['zeroThreshold'], 'zeroThreshold'),
      positive: buckets(point['positive'], 'positive'),
      negative: buckets(point['negative'], 'negative'),
    });
  }
  for (const point of points('summary')) {
    const quantiles = list(point['quantileValues'], 'quantileValues').map((item) => {
      const { quantile, value: of } = object(item, 'quantileValues');
      return { quantile: double(quantile, 'quantile'), value: double(of, 'quantileValues.value') };
    });
    const { count } = countAndSum(point);
    series.summary({ ...common(point), count, sum: double(point['sum'], 'sum'), quantiles });
  }
  return text(members['description'], 'metric.description') !== '' || unit !== '';
}

function common(point: JsonObject): Point {
  return {
    attributes: keyValues(point['attributes'], 'attributes'),
    timeNs: uint64(point['timeUnixNano'], 'timeUnixNano'),
    startNs: uint64(point['startTimeUnixNano'], 'startTimeUnixNano'),
    flags: Number(uint64(point['flags'], 'flags') & 0xffffffffn),
    exemplars: list(point['exemplars'], 'exemplars').length,
  };
}

function value(point: JsonObject): number {
  const asInt = point['asInt'];
  if (asInt !== undefined && asInt !== null) return Number(int64(asInt, 'asInt'));
  return double(point['asDouble'], 'asDouble');
}

function countAndSum(point: JsonObject) {
  const { sum, min, max } = point;
  return {
    count: uint64(point['count'], 'count'),
    sum: sum === undefined || sum === null ? undefined : double(sum, 'sum'),
    hasMinMax: typeof min === 'number' || typeof max === 'number',
  };
}

function buckets(value: unknown, what: string) {
  const { offset, bucketCounts } = object(value, what);
  const counts = list(bucketCounts, `${what}.bucketCounts`).map((n) => uint64(n, `${what}.bucketCounts`));
  return { offset: int32(offset, `${what}.offset`), counts };
}

/** All metrics that cannot be read, in a request of their own, with their resources and scopes. */
function reject(first: PoisonError, bad: readonly BadMetric[], body: Buffer): Reject {
  // Scopes of one resource stay together, so that the resource is not repeated for each.
  const byResource = new Map<unknown, BadMetric[]>();
  let count = 0;
  for (const item of bad) {
    count += item.metrics.length;
    const scopes = byResource.get(item.resource);
    if (scopes && item.resource) scopes.push(item);
    else byResource.set(item.resource ?? item, [item]);
  }
  const resourceMetrics = [...byResource.values()].map((scopes) => ({
    resource: scopes[0]!.resource,
    scopeMetrics: scopes.map(({ scope, metrics }) => ({ scope, metrics })),
  }));
  return {
    reason: 'otlp_metric',
    message: first.message + (count > 1 ? ` (the first of ${count} metrics)` : ''),
    value: jsonOf({ resourceMetrics }) ?? body,
    contentType: CONTENT_TYPE,
  };
}

/** Undefined where what nobody reads nests so deep that it cannot be written again. */
function jsonOf(value: object): Buffer | undefined {
  try {
    return Buffer.from(JSON.stringify(value));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
