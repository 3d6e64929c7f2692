import * as z from 'zod';
import { shown } from '../../core/options/types.ts';

const path = () =>
  z.string().regex(/^(?:[^.]+(?:\.[^.]+)*)?$/, {
    error: (issue) =>
      `${shown(issue.input)} is no path; expected names of fields with dots between, such as payload.points`,
  });
const fullPath = () => path().min(1, 'the path is empty; expected the name of a field');
const pairs = (example: string) =>
  z.array(
    z.string().regex(/^[^=]+=./, {
      error: (issue) => `${shown(issue.input)} cannot be read; expected name=…, such as ${example}`,
    }),
  );

/** Keys without defaults: the section of a topic has only those that differ. */
const keys = {
  series: path().describe(
    'Path of the list of series in a record; empty: the record itself is one series, or a list of them.',
  ),
  name: path().describe(
    'Path, in a series, of the metric name; where it is empty or finds nothing, the label __name__ is the name.',
  ),
  labels: path().describe(
    'Path, in a series, of the labels: an object, or a list of objects with a name and a value; empty: none.',
  ),
  label_name: fullPath().describe('Where the labels are a list: the field with the name.'),
  label_value: fullPath().describe('Where the labels are a list: the field with the value.'),
  label_fields: pairs('instance=meta.host').describe(
    'Labels that are fields of their own, as label=path in the series.',
  ),
  constant_labels: pairs('team=payments').describe(
    'Labels that every series gets, as label=value; they win over those of the record.',
  ),
  samples: path().describe(
    'Path, in a series, of the list of its samples; empty: the series is itself the one sample.',
  ),
  value: fullPath().describe('Path, in a sample, of the value: a number, or text of one.'),
  timestamp: path().describe('Path, in a sample, of its time; empty: the time of the Kafka record.'),
  timestamp_unit: z
    .enum(['s', 'ms', 'us', 'ns', 'rfc3339'])
    .describe("Unit of the time since the epoch, or rfc3339 for text. Protobuf's Timestamp needs none."),
} as const;

const ABOUT =
  'Where the parts of a sample are in Avro, JSON and Protobuf records: names of fields, with dots where they are nested. The default is the shape of schemas/metric-batch.*; docs/guides/schemas.md has examples of others.';

/** `worker.mapping`. The defaults are METRIC_BATCH of src/core/decode/schema/mapping.ts. */
export const mapping = z
  .strictObject({
    series: keys.series.default('series'),
    name: keys.name.default(''),
    labels: keys.labels.default('labels'),
    label_name: keys.label_name.default('name'),
    label_value: keys.label_value.default('value'),
    label_fields: keys.label_fields.default([]),
    constant_labels: keys.constant_labels.default([]),
    samples: keys.samples.default('samples'),
    value: keys.value.default('value'),
    timestamp: keys.timestamp.default('timestamp'),
    timestamp_unit: keys.timestamp_unit.default('ms'),
  })
  .prefault({})
  .describe(ABOUT);

/** The same for one topic; keys left out are those for every topic. */
export const topicMapping = z.strictObject(keys).partial().optional().describe(ABOUT);
