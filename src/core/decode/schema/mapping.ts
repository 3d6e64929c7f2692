import { Instant } from './instant.ts';
import { plainMeaning } from './known-messages.ts';

/** Units of a timestamp. `rfc3339` is text such as `2026-01-31T12:00:00.5Z`. */
export const TIMESTAMP_UNITS = ['s', 'ms', 'us', 'ns', 'rfc3339'] as const;

export type TimestampUnit = (typeof TIMESTAMP_UNITS)[number];

/**
 * Paths of the parts of a sample in a record of any shape. A path is names of fields, joined by dots:
 * `payload.points`. The keys are those of `worker.mapping`.
 */
export interface MappingOptions {
  /** Path of the list of series in the record; empty: the record itself is one. */
  readonly series: string;
  /** Path, in a series, of the metric name; if it is empty or absent, the label `__name__` is the name. */
  readonly name: string;
  /** Path, in a series, of the labels: an object, or a list of objects with a name and a value each; empty: none. */
  readonly labels: string;
  /** Fields of the objects, if the labels are a list. */
  readonly label_name: string;
  readonly label_value: string;
  /** Labels that are fields of their own, as `label=path in the series`. An absent field is an absent label. */
  readonly label_fields: readonly string[];
  /** Labels that every series gets, as `label=value`; they win over those of the record. */
  readonly constant_labels: readonly string[];
  /** Path, in a series, of the list of its samples; empty: the series is itself the one sample. */
  readonly samples: string;
  /** Path, in a sample, of the value. */
  readonly value: string;
  /** Path, in a sample, of its time; empty: the time of the Kafka record. */
  readonly timestamp: string;
  readonly timestamp_unit: TimestampUnit;
}

/** The shape of `schemas/metric-batch.*`, the default of `worker.mapping`. */
export const METRIC_BATCH: MappingOptions = {
  series: 'series',
  name: '',
  labels: 'labels',
  label_name: 'name',
  label_value: 'value',
  label_fields: [],
  constant_labels: [],
  samples: 'samples',
  value: 'value',
  timestamp: 'timestamp',
  timestamp_unit: 'ms',
};

type Path = readonly string[];

/** A mapping with its paths parsed. */
export interface Mapping extends Pick<MappingOptions, 'label_name' | 'label_value' | 'timestamp_unit'> {
  readonly series: Path;
  readonly name: Path;
  readonly labels: Path;
  readonly labelFields: readonly (readonly [label: string, path: Path])[];
  readonly constantLabels: readonly (readonly [label: string, value: string])[];
  readonly samples: Path;
  readonly value: Path;
  readonly timestamp: Path;
}

export function compileMapping(options: MappingOptions): Mapping {
  const { label_name, label_value, timestamp_unit, label_fields, constant_labels } = options;
  return {
    label_name,
    label_value,
    timestamp_unit,
    series: parsePath(options.series),
    name: parsePath(options.name),
    labels: parsePath(options.labels),
    labelFields: label_fields.map((text) => {
      const [label, path] = pair(text);
      return [label, parsePath(path)] as const;
    }),
    constantLabels: constant_labels.map(pair),
    samples: parsePath(options.samples),
    value: parsePath(options.value),
    timestamp: parsePath(options.timestamp),
  };
}

function pair(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function parsePath(text: string): Path {
  return text === '' ? [] : text.split('.');
}

/** The value at a path; undefined if there is none. The empty path is the value itself. */
export function valueByPath(value: unknown, path: Path): unknown {
  let at = value;
  for (const name of path) {
    if (!isObject(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return plainMeaning(at);
}

/** Whether a value is an object with fields: not a list, bytes or a time. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(value instanceof Uint8Array) && !(value instanceof Instant);
}
