import * as z from 'zod';
import { mapping, topicMapping } from './mapping-options.ts';

/**
 * Encodings of records in ingest topics; `auto` detects it from the bytes. A unit test keeps this list equal to the
 * decoders.
 */
export const INGEST_ENCODINGS = [
  'auto',
  'remote_write_v1',
  'remote_write_v2',
  'victoriametrics_remote_write',
  'otlp',
  'otlp_json',
  'json',
  'confluent',
  'mapped_json',
  'prometheus_text',
  'vmimport',
  'influx',
  'graphite',
  'opentsdb',
  'opentsdb_http',
] as const;

const trim = () => z.int().min(0).max(86_400_000);

/** Keys without defaults: the section of a topic has only those that differ. */
const keys = {
  influx: {
    precision: z
      .enum(['', 'ns', 'u', 'us', 'µ', 'ms', 's', 'm', 'h'])
      .describe('Unit of timestamps; empty guesses by their size. An argument of the record wins.'),
    measurement_field_separator: z.string().describe('Between measurement and field in the metric name.'),
    skip_measurement: z.boolean().describe('The metric name is the field alone.'),
    skip_single_field: z
      .boolean()
      .describe('The metric name is the measurement alone where a line has one field.'),
    db_label: z.string().min(1).describe("Label that gets the record's argument db."),
    trim_timestamp_ms: trim().describe('Timestamps are cut to a multiple of this, in ms; 1 leaves them.'),
  },
  graphite: {
    sanitize_metric_name: z.boolean().describe('Replaces what Prometheus does not allow in names by _.'),
    trim_timestamp_ms: trim().describe('Timestamps are cut to a multiple of this, in ms.'),
  },
  opentsdb: {
    trim_timestamp_ms: trim().describe('Timestamps are cut to a multiple of this, in ms.'),
  },
  opentsdb_http: {
    trim_timestamp_ms: trim().describe('Timestamps are cut to a multiple of this, in ms; 1 leaves them.'),
  },
  json: {
    unknown_members: z
      .enum(['reject', 'ignore'])
      .describe(
        'What becomes of a sample with members that are not understood and could tell its series from others. reject: a dead letter that names them. ignore: they are passed over, and such series become one.',
      ),
  },
  otlp: {
    use_prometheus_naming: z
      .boolean()
      .describe("Metric and label names in Prometheus' way, with the unit in the name."),
    convert_metric_names_to_prometheus: z.boolean().describe('The same for metric names alone.'),
    label_name_underscore_sanitization: z
      .boolean()
      .describe('With use_prometheus_naming: a label name that begins with one _ gets key before it.'),
  },
} as const;

const ABOUT = {
  influx: "Influx line protocol; names and defaults are those of vmagent's -influx flags.",
  graphite: "Graphite plaintext; defaults are those of vmagent's -graphite flags.",
  opentsdb: "OpenTSDB put lines; the default is that of vmagent's -opentsdbTrimTimestamp.",
  opentsdb_http: "OpenTSDB's HTTP JSON; the default is that of vmagent's -opentsdbHTTPTrimTimestamp.",
  json: 'Samples as JSON objects, with name, labels, value and timestamp.',
  otlp: "OTLP metrics, protobuf and JSON; defaults are those of vmagent's -opentelemetry flags.",
} as const;

/** Decoding options for every ingest topic. The defaults are those of src/core/decode/decode-options.ts. */
export const decodeKeys = {
  influx: z
    .strictObject({
      precision: keys.influx.precision.default(''),
      measurement_field_separator: keys.influx.measurement_field_separator.default('_'),
      skip_measurement: keys.influx.skip_measurement.default(false),
      skip_single_field: keys.influx.skip_single_field.default(false),
      db_label: keys.influx.db_label.default('db'),
      trim_timestamp_ms: keys.influx.trim_timestamp_ms.default(1),
    })
    .prefault({})
    .describe(ABOUT.influx),
  graphite: z
    .strictObject({
      sanitize_metric_name: keys.graphite.sanitize_metric_name.default(false),
      trim_timestamp_ms: keys.graphite.trim_timestamp_ms.default(1000),
    })
    .prefault({})
    .describe(ABOUT.graphite),
  opentsdb: z
    .strictObject({ trim_timestamp_ms: keys.opentsdb.trim_timestamp_ms.default(1000) })
    .prefault({})
    .describe(ABOUT.opentsdb),
  opentsdb_http: z
    .strictObject({ trim_timestamp_ms: keys.opentsdb_http.trim_timestamp_ms.default(1) })
    .prefault({})
    .describe(ABOUT.opentsdb_http),
  json: z
    .strictObject({ unknown_members: keys.json.unknown_members.default('reject') })
    .prefault({})
    .describe(ABOUT.json),
  otlp: z
    .strictObject({
      use_prometheus_naming: keys.otlp.use_prometheus_naming.default(false),
      convert_metric_names_to_prometheus: keys.otlp.convert_metric_names_to_prometheus.default(false),
      label_name_underscore_sanitization: keys.otlp.label_name_underscore_sanitization.default(true),
    })
    .prefault({})
    .describe(ABOUT.otlp),
  mapping,
};

/** The same for one topic; keys left out are those for every topic. */
export const topicDecodeKeys = {
  influx: z.strictObject(keys.influx).partial().optional().describe(ABOUT.influx),
  graphite: z.strictObject(keys.graphite).partial().optional().describe(ABOUT.graphite),
  opentsdb: z.strictObject(keys.opentsdb).partial().optional().describe(ABOUT.opentsdb),
  opentsdb_http: z.strictObject(keys.opentsdb_http).partial().optional().describe(ABOUT.opentsdb_http),
  json: z.strictObject(keys.json).partial().optional().describe(ABOUT.json),
  otlp: z.strictObject(keys.otlp).partial().optional().describe(ABOUT.otlp),
  mapping: topicMapping,
};
