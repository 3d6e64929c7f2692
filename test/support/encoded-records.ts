/** Records in every encoding, written by plain code and by other libraries, with the samples they hold. */
import { createRequire } from 'node:module';
import { gzipSync, zstdCompressSync } from 'node:zlib';

const require = createRequire(import.meta.url);
const snappy = require('snappyjs') as { compress(bytes: Uint8Array): Uint8Array };
const protobuf = require('protobufjs') as {
  parse(source: string): {
    root: { lookupType(name: string): { encode(message: object): { finish(): Uint8Array } } };
  };
};

export interface Point {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** A whole second, in ms: some encodings have no finer time. */
  readonly time: number;
}

export interface EncodedRecord {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** One way to write points. */
export interface Producer {
  readonly name: string;
  readonly write: (points: readonly Point[]) => EncodedRecord;
  /** Name under which the metric arrives. */
  readonly arrivesAs?: (metric: string) => string;
  /** Ways to break its records, used in turn. */
  readonly faults: readonly Fault[];
}

/** One way to break a record. */
export interface Fault {
  readonly write: (points: readonly Point[]) => EncodedRecord;
  /** Reason of the dead letter. */
  readonly reason: string;
  /** Only the last of the points is lost. */
  readonly part: boolean;
  /** The lost points arrive once the cause is fixed. */
  readonly isMended: boolean;
}

const PROTO = `
syntax = "proto3";
message V1 { repeated Series1 timeseries = 1; }
message Series1 { repeated Label labels = 1; repeated Sample samples = 2; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message V2 { repeated string symbols = 4; repeated Series2 timeseries = 5; }
message Series2 { repeated uint32 labels_refs = 1; repeated Sample samples = 2; }
message Otlp { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { repeated ScopeMetrics scope_metrics = 2; }
message ScopeMetrics { repeated Metric metrics = 2; }
message Metric { string name = 1; Gauge gauge = 5; }
message Gauge { repeated DataPoint data_points = 1; }
message DataPoint { repeated KeyValue attributes = 7; fixed64 time_unix_nano = 3; double as_double = 4; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { string string_value = 1; }
`;
const { root } = protobuf.parse(PROTO);
const encode = (type: string, message: object) => Buffer.from(root.lookupType(type).encode(message).finish());

const V1_TYPE = 'application/x-protobuf;proto=prometheus.WriteRequest';
const V2_TYPE = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
const OTLP_TYPE =
  'application/x-protobuf;proto=opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest';

function sorted({ metric, labels }: Point): [string, string][] {
  return Object.entries({ __name__: metric, ...labels }).sort(([a], [b]) => (a < b ? -1 : 1));
}

function writeRequest(points: readonly Point[]): Buffer {
  const timeseries = points.map((point) => ({
    labels: sorted(point).map(([name, value]) => ({ name, value })),
    samples: [{ value: point.value, timestamp: point.time }],
  }));
  return encode('V1', { timeseries });
}

function writeRequest2(points: readonly Point[]): Buffer {
  const symbols = [''];
  const refer = (text: string) => {
    const at = symbols.indexOf(text);
    return at >= 0 ? at : symbols.push(text) - 1;
  };
  const timeseries = points.map((point) => ({
    labelsRefs: sorted(point).flat().map(refer),
    samples: [{ value: point.value, timestamp: point.time }],
  }));
  return encode('V2', { symbols, timeseries });
}

function otlp(points: readonly Point[]): object {
  const metrics = points.map(({ metric, labels, value, time }) => {
    const attributes = Object.entries(labels).map(([key, text]) => ({ key, value: { stringValue: text } }));
    return {
      name: metric,
      gauge: { dataPoints: [{ attributes, timeUnixNano: `${time}000000`, asDouble: value }] },
    };
  });
  return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
}

function tags(labels: Point['labels'], separator: string): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(separator);
}

/** More than half is missing. */
export function cutOff(write: Producer['write'], reason: string): Fault {
  const cut = (points: readonly Point[]) => {
    const { body, headers } = write(points);
    return { body: body.subarray(0, Math.floor(body.length * 0.4)), headers };
  };
  return { write: cut, reason, part: false, isMended: false };
}

/** Makes the last line, or the last element, unreadable. */
function lastLine(write: Producer['write'], reason: string, bad: string): Fault {
  const replaced = (points: readonly Point[]) => {
    const { body, headers } = write(points);
    const lines = body.toString().trimEnd().split('\n');
    return { body: Buffer.from(`${[...lines.slice(0, -1), bad].join('\n')}\n`), headers };
  };
  return { write: replaced, reason, part: true, isMended: false };
}

/** A producer whose only fault is a cut-off record, with `reason`. */
export function whole(name: string, reason: string, write: Producer['write']): Producer {
  return { name, write, faults: [cutOff(write, reason)] };
}

function lines(
  name: string,
  type: string,
  bad: string,
  line: (point: Point) => string,
  reason = `${name}_line`,
): Producer {
  const write: Producer['write'] = (points) => ({
    body: Buffer.from(points.map((point) => `${line(point)}\n`).join('')),
    headers: { 'content-type': type },
  });
  return { name, write, faults: [lastLine(write, reason, bad)] };
}

function remoteWrite(
  name: string,
  encoding: string,
  compress: (bytes: Buffer) => Uint8Array,
  reason: string,
): Producer {
  return whole(name, reason, (points) => ({
    body: Buffer.from(compress(writeRequest(points))),
    headers: { 'content-type': V1_TYPE, 'content-encoding': encoding },
  }));
}

function opentsdbHttp(points: readonly Point[]): EncodedRecord {
  const elements = points.map(({ metric, labels, value, time }) =>
    JSON.stringify({ metric, timestamp: time / 1000, value, tags: labels }),
  );
  return {
    body: Buffer.from(`[${elements.join(',\n')}]`),
    headers: { 'content-type': 'application/x-opentsdb+json' },
  };
}

const jsonPoint = ({ metric, labels, value, time }: Point) => ({
  name: metric,
  labels,
  value,
  timestamp: new Date(time).toISOString(),
});

/** Every encoding that needs no schema. */
export const PRODUCERS: readonly Producer[] = [
  remoteWrite('remote_write_v1', 'snappy', (bytes) => snappy.compress(bytes), 'snappy'),
  remoteWrite('remote_write_v1 in zstd', 'zstd', zstdCompressSync, 'zstd'),
  remoteWrite('remote_write_v1 in gzip', 'gzip', (bytes) => gzipSync(bytes), 'gzip'),
  remoteWrite('remote_write_v1 as it is', 'identity', (bytes) => bytes, 'protobuf'),
  whole('victoriametrics_remote_write', 'zstd', (points) => ({
    body: zstdCompressSync(writeRequest(points)),
    headers: { 'x-victoriametrics-remote-write-version': '1' },
  })),
  whole('remote_write_v2', 'snappy', (points) => ({
    body: Buffer.from(snappy.compress(writeRequest2(points))),
    headers: { 'content-type': V2_TYPE, 'content-encoding': 'snappy' },
  })),
  whole('otlp', 'protobuf', (points) => ({
    body: encode('Otlp', otlp(points)),
    headers: { 'content-type': OTLP_TYPE },
  })),
  whole('otlp_json', 'json', (points) => ({
    body: Buffer.from(JSON.stringify(otlp(points))),
    headers: { 'content-type': 'application/x-otlp+json' },
  })),
  lines('prometheus_text', 'text/plain; version=0.0.4', '0bad{ 1', ({ metric, labels, value, time }) => {
    const pairs = Object.entries(labels).map(([name, text]) => `${name}="${text}"`);
    return `${metric}{${pairs.join(',')}} ${value} ${time}`;
  }),
  {
    ...lines(
      'influx',
      'application/x-influx-line-protocol',
      'no fields here',
      ({ metric, labels, value, time }) => `${metric},${tags(labels, ',')} v=${value} ${time}000000`,
    ),
    arrivesAs: (metric) => `${metric}_v`,
  },
  lines('graphite', 'application/x-graphite', 'a;b=c no-number 1', ({ metric, labels, value, time }) => {
    return `${metric};${tags(labels, ';')} ${value} ${time / 1000}`;
  }),
  lines('opentsdb', 'application/x-opentsdb', 'put only', ({ metric, labels, value, time }) => {
    return `put ${metric} ${time / 1000} ${value} ${tags(labels, ' ')}`;
  }),
  lines('vmimport', 'application/x-victoriametrics-json', '{"metric":', ({ metric, labels, value, time }) =>
    JSON.stringify({ metric: { __name__: metric, ...labels }, values: [value], timestamps: [time] }),
  ),
  {
    name: 'opentsdb_http',
    write: opentsdbHttp,
    faults: [lastLine(opentsdbHttp, 'opentsdb_http_point', '{"metric":7}]')],
  },
  lines(
    'json',
    'application/jsonl',
    '{"name":"a","value":{}}',
    (point) => JSON.stringify(jsonPoint(point)),
    'json_sample',
  ),
  whole('json, an array', 'json', (points) => ({
    body: Buffer.from(JSON.stringify(points.map(jsonPoint))),
    headers: { 'content-type': 'application/json' },
  })),
];
