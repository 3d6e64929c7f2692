import { PoisonError } from '../model/errors.ts';
import { ProtobufReader, VARINT } from '../wire/protobuf-reader.ts';
import { WriteRequestBuilder } from '../wire/write-request-builder.ts';
import { DEFAULT_OTLP, type OtlpOptions } from './decode-options.ts';
import type { DecodeContext, Decoded, Decoder } from './decoder.ts';
import type { AnyValue } from './otlp-attributes.ts';
import { BadMetrics, OTLP_PROTO } from './otlp-bad-metrics.ts';
import { keyValue, message, skip, text } from './otlp-fields.ts';
import { exponentialPoint, histogramPoint, numberPoint, summaryPoint } from './otlp-protobuf-points.ts';
import { OtlpSeries } from './otlp-series.ts';

/**
 * OTLP metrics in protobuf (opentelemetry/proto/collector/metrics/v1/metrics_service.proto,
 * ExportMetricsServiceRequest, which on the wire is MetricsData).
 *
 * A metric that cannot be read is set aside, with its resource and scope around it; all of a record share one reject.
 * Broken framing, resources or scopes refuse the record. Counted, since a series has no place for them: `metadata`,
 * `exemplars`, `start_timestamp`, `histogram_min_max`, and what vmagent drops, `histogram_without_buckets` and
 * `histogram_with_wrong_buckets`.
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
  while (request.next()) {
    if (request.field === 1) resourceMetrics(message(request, 'resource_metrics'), series, bad);
    else skip(request);
  }
  return series.finish(bad.rejects());
}

/** Resource and scope may stand behind the metrics that they are for: they are looked for first. */
function resourceMetrics(fields: ProtobufReader, series: OtlpSeries, bad: BadMetrics): void {
  const { position: start, end } = fields;
  const attributes: [string, AnyValue][] = [];
  bad.resource();
  while (fields.next()) {
    if (fields.field !== 1) {
      skip(fields);
      continue;
    }
    const resource = message(fields, 'ResourceMetrics.resource');
    bad.resourceField(fields.fieldStart, fields.position);
    while (resource.next()) {
      if (resource.field === 1) keyValue(resource, 'Resource.attributes', attributes);
      else skip(resource);
    }
  }
  series.resource(attributes);
  const again = new ProtobufReader(fields.bytes, start, end);
  while (again.next()) {
    if (again.field === 2) scopeMetrics(message(again, 'ResourceMetrics.scope_metrics'), series, bad);
    else again.skip();
  }
}

function scopeMetrics(fields: ProtobufReader, series: OtlpSeries, bad: BadMetrics): void {
  const { position: start, end } = fields;
  bad.scope();
  let scope: { name: string; version: string; attributes: [string, AnyValue][] } | undefined;
  while (fields.next()) {
    if (fields.field !== 1) {
      skip(fields);
      continue;
    }
    const found = message(fields, 'ScopeMetrics.scope');
    bad.scopeField(fields.fieldStart, fields.position);
    scope ??= { name: '', version: '', attributes: [] };
    while (found.next()) {
      if (found.field === 1) scope.name = text(found, 'InstrumentationScope.name');
      else if (found.field === 2) scope.version = text(found, 'InstrumentationScope.version');
      else if (found.field === 3) keyValue(found, 'InstrumentationScope.attributes', scope.attributes);
      else skip(found);
    }
  }
  series.scope(scope);
  const again = new ProtobufReader(fields.bytes, start, end);
  while (again.next()) {
    if (again.field !== 2) {
      again.skip();
      continue;
    }
    const error = series.whole(() => metric(message(again, 'ScopeMetrics.metrics'), series));
    if (error !== undefined) bad.metric(error, again.fieldStart, again.position);
  }
}

/** Makes the series of one metric. Its name and unit may stand behind its points. True where it has metadata. */
function metric(fields: ProtobufReader, series: OtlpSeries): boolean {
  const { position: start, end } = fields;
  let name = '';
  let unit = '';
  let described = false;
  while (fields.next()) {
    if (fields.field === 1) name = text(fields, 'Metric.name');
    else if (fields.field === 3) unit = text(fields, 'Metric.unit');
    else {
      if (fields.field === 2) described = text(fields, 'Metric.description') !== '';
      else skip(fields);
    }
  }
  if (name === '') throw new PoisonError('decode', 'no_metric_name', 'a metric without a name');
  series.metric(name, unit);
  const again = new ProtobufReader(fields.bytes, start, end);
  while (again.next()) {
    switch (again.field) {
      case 5:
        dataPoints(message(again, 'Metric.gauge'), (point) => numberPoint(point, 'gauge', series));
        break;
      case 7: {
        const kind = isMonotonic(message(again, 'Metric.sum')) ? 'counter' : 'gauge';
        again.position = again.fieldStart;
        again.next();
        dataPoints(again.message(), (point) => numberPoint(point, kind, series));
        break;
      }
      case 9:
        dataPoints(message(again, 'Metric.histogram'), (point) => histogramPoint(point, series));
        break;
      case 10:
        dataPoints(message(again, 'Metric.exponential_histogram'), (point) =>
          exponentialPoint(point, series),
        );
        break;
      case 11:
        dataPoints(message(again, 'Metric.summary'), (point) => summaryPoint(point, series));
        break;
      default:
        again.skip();
    }
  }
  return described || unit !== '';
}

function dataPoints(fields: ProtobufReader, read: (point: ProtobufReader) => void): void {
  while (fields.next()) {
    if (fields.field === 1) read(message(fields, 'data_points'));
    else skip(fields);
  }
}

function isMonotonic(sum: ProtobufReader): boolean {
  let monotonic = false;
  while (sum.next()) {
    if (sum.field === 3) {
      sum.expect(VARINT, 'Sum.is_monotonic');
      monotonic = sum.varint() !== 0;
    } else skip(sum);
  }
  return monotonic;
}
