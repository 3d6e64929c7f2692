/** How Influx line protocol becomes series; the names and defaults are those of vmagent's `-influx…` flags. */
export interface InfluxOptions {
  /**
   * Unit of the timestamps: `ns`, `u`, `us`, `µ`, `ms`, `s`, `m` or `h`; anything else means a guess by their size. The
   * record's argument `precision` wins.
   */
  readonly precision: string;
  /** Between measurement and field in the metric name. */
  readonly measurement_field_separator: string;
  /** The metric name is the field alone. */
  readonly skip_measurement: boolean;
  /** The metric name is the measurement alone where a line has one field. */
  readonly skip_single_field: boolean;
  /** Label that gets the record's argument `db`, if no tag has that name. */
  readonly db_label: string;
  /** Timestamps are cut to a multiple of this, in ms; 0 and 1 leave them. */
  readonly trim_timestamp_ms: number;
}

export interface GraphiteOptions {
  /** Replaces what Prometheus does not allow in names by `_`, as vmagent's `-graphite.sanitizeMetricName`. */
  readonly sanitize_metric_name: boolean;
  /** Timestamps are cut to a multiple of this, in ms; 1000 and less leave them, as they are whole seconds. */
  readonly trim_timestamp_ms: number;
}

export interface OpentsdbOptions {
  /** Timestamps are cut to a multiple of this, in ms; 1000 and less leave them. */
  readonly trim_timestamp_ms: number;
}

export interface OpentsdbHttpOptions {
  /** Timestamps are cut to a multiple of this, in ms; 0 and 1 leave them. */
  readonly trim_timestamp_ms: number;
}

export interface JsonOptions {
  /** Whether a sample with an unknown member, which could tell series apart, is set aside. */
  readonly unknown_members: 'reject' | 'ignore';
}

/** How OTLP names become metric and label names, as vmagent's `-opentelemetry…` flags. */
export interface OtlpOptions {
  /** Metric and label names in Prometheus' way, units in the names: `-opentelemetry.usePrometheusNaming`. */
  readonly use_prometheus_naming: boolean;
  /** Only metric names: `-opentelemetry.convertMetricNamesToPrometheus`. */
  readonly convert_metric_names_to_prometheus: boolean;
  /**
   * With `use_prometheus_naming`: a label name that begins with one underscore gets `key` before it. Off leaves it, as
   * Prometheus 3 can: `-opentelemetry.labelNameUnderscoreSanitization`.
   */
  readonly label_name_underscore_sanitization: boolean;
}

/** Options of the decoders, by encoding; those left out have the defaults below. */
export interface DecodeOptions {
  readonly influx?: Partial<InfluxOptions>;
  readonly graphite?: Partial<GraphiteOptions>;
  readonly opentsdb?: Partial<OpentsdbOptions>;
  readonly opentsdb_http?: Partial<OpentsdbHttpOptions>;
  readonly json?: Partial<JsonOptions>;
  /** For both encodings of OTLP. */
  readonly otlp?: Partial<OtlpOptions>;
}

export const DEFAULT_INFLUX: InfluxOptions = {
  precision: '',
  measurement_field_separator: '_',
  skip_measurement: false,
  skip_single_field: false,
  db_label: 'db',
  trim_timestamp_ms: 1,
};
export const DEFAULT_GRAPHITE: GraphiteOptions = { sanitize_metric_name: false, trim_timestamp_ms: 1000 };
export const DEFAULT_OPENTSDB: OpentsdbOptions = { trim_timestamp_ms: 1000 };
export const DEFAULT_OPENTSDB_HTTP: OpentsdbHttpOptions = { trim_timestamp_ms: 1 };
export const DEFAULT_JSON: JsonOptions = { unknown_members: 'reject' };
export const DEFAULT_OTLP: OtlpOptions = {
  use_prometheus_naming: false,
  convert_metric_names_to_prometheus: false,
  label_name_underscore_sanitization: true,
};
