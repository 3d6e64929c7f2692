import type { RecordHeaders } from '../src/core/record/headers.ts';
import { seriesLabels } from '../test/lab/generator/generate-series.ts';

/** One series to encode. */
interface Point {
  readonly metric: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
  /** In ms. */
  readonly time: number;
}

/** A body in one encoding, and the number of its samples. */
export interface EncodedBody {
  readonly encoding: string;
  readonly body: Buffer;
  readonly samples: number;
  /** Headers of the Kafka record, for a body that is compressed; absent: the decoder alone is measured. */
  readonly headers?: RecordHeaders;
}

const START_MS = 1_760_000_000_000;
const SAMPLES_PER_IMPORT_LINE = 20;
const FIELDS_PER_LINE = ['usage_user', 'usage_system', 'usage_idle', 'usage_iowait', 'usage_steal'];

/** The same series, 12 labels each, as a producer would write them in each of the text encodings. */
export function textBodies(series = 2000): EncodedBody[] {
  const points = Array.from({ length: series }, (_, number) => pointOf(number));
  const lines = (encoding: string, line: (point: Point) => string, samplesALine = 1): EncodedBody => ({
    encoding,
    body: Buffer.from(points.map((point) => `${line(point)}\n`).join('')),
    samples: series * samplesALine,
  });
  return [
    lines('prometheus_text', ({ metric, labels, value, time }) => {
      return `${metric}{${join(labels, ',', '"')}} ${value} ${time}`;
    }),
    lines('influx', ({ metric, labels, value, time }) => {
      return `${metric},${join(labels, ',')} value=${value} ${time}000000`;
    }),
    {
      ...lines(
        'influx',
        ({ metric, labels, value, time }) => {
          const fields = FIELDS_PER_LINE.map((field, index) => `${field}=${value + index}`);
          return `${metric},${join(labels, ',')} ${fields.join(',')} ${time}000000`;
        },
        FIELDS_PER_LINE.length,
      ),
      encoding: 'influx, 5 fields a line',
    },
    lines('graphite', ({ metric, labels, value, time }) => {
      return `${metric};${join(labels, ';')} ${value} ${Math.floor(time / 1000)}`;
    }),
    lines(
      'opentsdb',
      ({ metric, labels, value, time }) => `put ${metric} ${time} ${value} ${join(labels, ' ')}`,
    ),
    {
      encoding: 'opentsdb_http',
      body: Buffer.from(
        JSON.stringify(
          points.map(({ metric, labels, value, time }) => {
            return { metric, timestamp: time, value, tags: Object.fromEntries(labels) };
          }),
        ),
      ),
      samples: series,
    },
    {
      ...lines('vmimport', ({ metric, labels, value, time }) =>
        JSON.stringify({
          metric: { __name__: metric, ...Object.fromEntries(labels) },
          values: [value],
          timestamps: [time],
        }),
      ),
      encoding: 'vmimport, 1 sample a line',
    },
    lines(
      'vmimport',
      ({ metric, labels, value, time }) => {
        const each = Array.from({ length: SAMPLES_PER_IMPORT_LINE }, (_, index) => index);
        return JSON.stringify({
          metric: { __name__: metric, ...Object.fromEntries(labels) },
          values: each.map((index) => value + index),
          timestamps: each.map((index) => time + index * 15_000),
        });
      },
      SAMPLES_PER_IMPORT_LINE,
    ),
  ];
}

function pointOf(number: number): Point {
  const labels = seriesLabels(number, 12, 1);
  const metric = labels.find(([name]) => name === '__name__')![1];
  // Counters are whole numbers; the others have all digits of a double.
  const value = number % 10 < 7 ? number * 3737 : number / 7;
  const time = START_MS + (number % 15_000);
  return { metric, labels: labels.filter(([name]) => name !== '__name__'), value, time };
}

function join(labels: Point['labels'], separator: string, quote = ''): string {
  return labels.map(([name, value]) => `${name}=${quote}${value}${quote}`).join(separator);
}
