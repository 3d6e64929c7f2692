import { PoisonError } from '../../model/errors.ts';
import { FIXED32, FIXED64, ProtobufReader, VARINT } from '../../wire/protobuf-reader.ts';
import { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import { DEFAULT_OTLP, type OtlpOptions } from '../decode-options.ts';
import type { DecodeContext, Decoded, Decoder } from '../decoder.ts';
import type { AnyValue } from './attributes.ts';
import { BadMetrics, OTLP_PROTO } from './bad-metrics.ts';
import { keyValue, message, skip, text } from './fields.ts';
import { exponentialPoint, histogramPoint, numberPoint, summaryPoint } from './protobuf-points.ts';
import { OtlpSeries } from './series.ts';

/**
 * OTLP metrics in protobuf (opentelemetry/proto/collector/metrics/v1/metrics_service.proto,
 * ExportMetricsServiceRequest, which on the wire is MetricsData).
 *
 * A metric that cannot be read is set aside, with its resource and scope around it; all of a record share one reject.
 * Broken framing, resources or scopes refuse the record. Counted, since a series has no place for them: `metadata`,
 * `exemplars`, `start_timestamp`, `histogram_min_max`, `metric_without_points`, `unknown_field`, `empty_record` for a
 * request without metrics, and, as vmagent drops them, `histogram_without_buckets` and `histogram_with_wrong_buckets`.
 */
export function otlpDecoder(options: Partial<OtlpOptions> = {}): Decoder {
  const settings = { ...DEFAULT_OTLP, ...options };
  const builder = new WriteRequestBuilder();
  return {
    name: 'otlp',
    contentTypes: ['application/x-protobuf'],
    protos: [OTLP_PROTO],
    defaultContentEncoding: 'identity',
    decode: (body, context) => decode(body, context, settings, builder),
  };
}

function decode(
  body: Buffer,
  context: DecodeContext,
  options: OtlpOptions,
  builder: WriteRequestBuilder,
): Decoded {
  const series = new OtlpSeries(builder, options, body.length, context);
  const bad = new BadMetrics(body);
  const request = new ProtobufReader(body);
  while (series.bounds.next(request)) {
    if (request.field === 1) resourceMetrics(message(request, 'resource_metrics'), series, bad);
    else {
      series.unknown();
      skip(request);
    }
  }
  return series.finish(bad.rejects());
}

/** Fields of ResourceMetrics. */
const SCOPE_METRICS = 2;
const SCHEMA_URL = 3;
/** Metrics of older senders in OTLP 0.15 to 0.18, in the form of scope_metrics; before that they were field 2. */
const LIBRARY_METRICS = 1000;

/** Reads the resource first, since it may come after its metrics. */
function resourceMetrics(fields: ProtobufReader, series: OtlpSeries, bad: BadMetrics): void {
  const { position: start, end } = fields;
  const attributes: [string, AnyValue][] = [];
  // A sender that writes both means the same by them: the newer one counts.
  let metrics = LIBRARY_METRICS;
  bad.resource();
  while (series.bounds.next(fields)) {
    if (fields.field !== 1) {
      if (fields.field === SCOPE_METRICS) metrics = SCOPE_METRICS;
      skip(fields);
      continue;
    }
    const resource = message(fields, 'ResourceMetrics.resource');
    bad.resourceField(fields.fieldStart, fields.position);
    while (series.bounds.next(resource)) {
      if (resource.field === 1) keyValue(resource, 'Resource.attributes', attributes, series.bounds);
      else skip(resource);
    }
  }
  series.resource(attributes);
  const again = new ProtobufReader(fields.bytes, start, end);
  while (series.bounds.next(again)) {
    if (again.field === metrics) scopeMetrics(message(again, 'ResourceMetrics.scope_metrics'), series, bad);
    else {
      again.skip();
      if (again.field > SCHEMA_URL) series.unknown();
    }
  }
}

function scopeMetrics(fields: ProtobufReader, series: OtlpSeries, bad: BadMetrics): void {
  const { position: start, end } = fields;
  bad.scope();
  let scope: { name: string; version: string; attributes: [string, AnyValue][] } | undefined;
  while (series.bounds.next(fields)) {
    if (fields.field !== 1) {
      skip(fields);
      continue;
    }
    const found = message(fields, 'ScopeMetrics.scope');
    bad.scopeField(fields.fieldStart, fields.position);
    scope ??= { name: '', version: '', attributes: [] };
    while (series.bounds.next(found)) {
      if (found.field === 1) scope.name = text(found, 'InstrumentationScope.name');
      else if (found.field === 2) scope.version = text(found, 'InstrumentationScope.version');
      else if (found.field === 3)
        keyValue(found, 'InstrumentationScope.attributes', scope.attributes, series.bounds);
      else skip(found);
    }
  }
  series.scope(scope);
  const again = new ProtobufReader(fields.bytes, start, end);
  while (series.bounds.next(again)) {
    if (again.field !== 2) {
      again.skip();
      if (again.field > SCHEMA_URL) series.unknown();
      continue;
    }
    const error = series.whole(() => metric(message(again, 'ScopeMetrics.metrics'), series));
    if (error === undefined) continue;
    const { fieldStart, position } = again;
    bad.metric(otherSignal(fields.bytes, fieldStart, position) ?? error, fieldStart, position);
  }
}

/**
 * Makes the series of one metric, whose name and unit may come after its points. Returns whether it has metadata.
 *
 * Fields 4, 6 and 8 were integer data before OTLP 0.9, and fields from 13 on are unknown: a metric with only such data
 * is set aside, since nothing of it can be read.
 */
function metric(fields: ProtobufReader, series: OtlpSeries): boolean {
  const { position: start, end } = fields;
  let name = '';
  let unit = '';
  let described = false;
  let known = false;
  let unknown = 0;
  while (series.bounds.next(fields)) {
    if (fields.field === 1) name = text(fields, 'Metric.name');
    else if (fields.field === 3) unit = text(fields, 'Metric.unit');
    else if (fields.field === 2) described = text(fields, 'Metric.description') !== '';
    else {
      if (DATA.includes(fields.field)) known = true;
      else if (fields.field !== METADATA) unknown = fields.field;
      skip(fields);
    }
  }
  if (name === '') throw new PoisonError('decode', 'no_metric_name', 'a metric without a name');
  if (!known && unknown > 0) {
    const message = `the metric ${JSON.stringify(name)} has its data in field ${unknown}, which ${
      unknown < METADATA ? 'OTLP has no more since 0.9' : 'is not known'
    }`;
    throw new PoisonError('decode', 'unknown_fields', message);
  }
  if (!known) series.withoutPoints();
  else if (unknown > 0) series.unknown();
  series.metric(name, unit);
  readData(new ProtobufReader(fields.bytes, start, end), series);
  return described || unit !== '';
}

/** Gauge, sum, histogram, exponential histogram and summary; the field after them is metadata. */
const DATA: readonly number[] = [5, 7, 9, 10, 11];
const METADATA = 12;

function readData(again: ProtobufReader, series: OtlpSeries): void {
  while (series.bounds.next(again)) {
    switch (again.field) {
      case 5:
        dataPoints(message(again, 'Metric.gauge'), series, (point) => numberPoint(point, 'gauge', series));
        break;
      case 7: {
        const kind = isMonotonic(message(again, 'Metric.sum'), series) ? 'counter' : 'gauge';
        again.position = again.fieldStart;
        again.next();
        dataPoints(again.message(), series, (point) => numberPoint(point, kind, series));
        break;
      }
      case 9:
        dataPoints(message(again, 'Metric.histogram'), series, (point) => histogramPoint(point, series));
        break;
      case 10:
        dataPoints(message(again, 'Metric.exponential_histogram'), series, (point) =>
          exponentialPoint(point, series),
        );
        break;
      case 11:
        dataPoints(message(again, 'Metric.summary'), series, (point) => summaryPoint(point, series));
        break;
      default:
        again.skip();
    }
  }
}

function dataPoints(fields: ProtobufReader, series: OtlpSeries, read: (point: ProtobufReader) => void): void {
  while (series.bounds.next(fields)) {
    if (fields.field === 1) read(message(fields, 'data_points'));
    else skip(fields);
  }
}

function isMonotonic(sum: ProtobufReader, series: OtlpSeries): boolean {
  let monotonic = false;
  while (series.bounds.next(sum)) {
    if (sum.field === 3) {
      sum.expect(VARINT, 'Sum.is_monotonic');
      monotonic = sum.varint() !== 0;
    } else skip(sum);
  }
  return monotonic;
}

/**
 * Recognizes a span or a log record in place of an unreadable metric: requests of all three nest alike and have no mark
 * of their own. Undefined if it is neither, as far as the types of its fields tell.
 *
 * Spans have their times in fields 7 and 8 (opentelemetry/proto/trace/v1/trace.proto); log records theirs in 1 and 11,
 * their severity in 2, their flags in 8 (opentelemetry/proto/logs/v1/logs.proto). No field of a metric is a number.
 */
function otherSignal(bytes: Uint8Array, start: number, end: number): PoisonError | undefined {
  try {
    const parent = new ProtobufReader(bytes, start, end);
    parent.next();
    for (const element = parent.message(); element.next(); element.skip()) {
      const { field, wireType } = element;
      if (wireType === FIXED64 && (field === 7 || field === 8)) return named('spans (OTLP traces)');
      const isOfLog =
        (wireType === FIXED64 && (field === 1 || field === 11)) ||
        (wireType === VARINT && field === 2) ||
        (wireType === FIXED32 && field === 8);
      if (isOfLog) return named('log records (OTLP logs)');
    }
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
  }
  return undefined;
}

function named(what: string): PoisonError {
  return new PoisonError(
    'decode',
    'otlp_metric',
    `these are ${what}, not metrics: Penstock reads metrics only, send them to another topic`,
  );
}
