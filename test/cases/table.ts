import type { MappingOptions } from '../../src/core/decode/schema/mapping.ts';

/** A series that is expected: `[labels, value, time in ms]`; without a time it is that of the record. */
export type ExpectedSeries = readonly [
  labels: Readonly<Record<string, string>>,
  value: number,
  timeMs?: number,
];

/** One record of a case and what has to become of it, in every reader. */
export interface Case {
  /** Folder in `inputs/`. What it stands for is in its README. */
  readonly id: string;
  /** File with the value; `.hex` is read as such. */
  readonly value: string;
  /** File with the headers; default `headers.json` or `headers.txt`, where the folder has one. */
  readonly headers?: string;
  readonly encoding?: string;
  readonly mapping?: Partial<MappingOptions>;
  /** The record is framed for a registry that has `schema.*` of the folder, of this type. */
  readonly schema?: 'AVRO' | 'JSON' | 'PROTOBUF';
  readonly series: readonly ExpectedSeries[];
  /** What the message of each reject has to say. */
  readonly rejects?: readonly RegExp[];
  readonly exemplars?: number;
}

/** A record is itself one series with one sample. */
const FLAT = { series: '', samples: '', labels: '', name: 'name', value: 'value', timestamp: '' };

const CPU: ExpectedSeries = [{ __name__: 'cpu_v' }, 1];
const UP: ExpectedSeries = [{ __name__: 'up' }, 1];
const HOST: ExpectedSeries = [{ __name__: 'up', instance: 'host' }, 1, 1_700_000_000_000];
const HTTP = { method: 'GET', uri: '/users/{id}', metric_type: 'histogram' };

export const CASES: readonly Case[] = [
  { id: 'A1', value: 'value.bin', series: [CPU] },
  { id: 'A2', value: 'value.bin', series: [CPU] },
  { id: 'A3', value: 'value.bin', series: [CPU] },
  {
    id: 'B1',
    value: 'two-frames.zst',
    series: [
      [{ __name__: 'm' }, 1, 1_700_000_000_000],
      [{ __name__: 'n' }, 1, 1_700_000_000_000],
    ],
  },
  { id: 'B5', value: 'body.snappy', headers: 'snappy-headers.txt', series: [HOST] },
  { id: 'B5', value: 'body.zst', headers: 'zstd-headers.txt', series: [HOST] },
  {
    id: 'C1',
    value: 'input.txt',
    series: [[{ __name__: 'foo_total' }, 17, 1_520_879_607_789]],
    exemplars: 1,
  },
  { id: 'C2', value: 'input.txt', series: [[{ __name__: 'foo_total' }, 8]], exemplars: 1 },
  {
    id: 'C5',
    value: 'text.txt',
    series: [
      [{ __name__: 'foo', a: 'b' }, 1],
      [{ __name__: 'bar' }, 2],
    ],
  },
  { id: 'C5', value: 'influx.txt', series: [CPU] },
  { id: 'C5', value: 'sample.json', series: [UP] },
  {
    id: 'D8',
    value: 'input.txt',
    series: [
      [{ __name__: 'http_server_requests_sum', ...HTTP }, 1.5, 1_700_000_000_000],
      [{ __name__: 'http_server_requests_count', ...HTTP }, 2, 1_700_000_000_000],
      [{ __name__: 'jvm_threads_value', state: 'runnable' }, 5, 1_700_000_000_000],
    ],
  },
  {
    id: 'F5',
    value: 'input.json',
    series: [[{ __name__: 'm', id: '9007199254740993' }, 1, 1_700_000_000_001]],
  },
  { id: 'F7', value: 'input.json', series: [[{ __name__: 'm' }, 1, 1_700_000_000_000]] },
  { id: 'G1', value: 'body.snappy', series: [[{ __name__: 'm' }, 1, 1_700_000_000_000]] },
  {
    id: 'H1',
    value: 'sample.jsonl',
    encoding: 'json',
    series: [
      [{ __name__: 'up' }, Number.NaN],
      [{ __name__: 'up2' }, Number.POSITIVE_INFINITY],
      [{ __name__: 'ok' }, 1],
    ],
  },
  {
    id: 'H1',
    value: 'mapped.json',
    encoding: 'mapped_json',
    mapping: FLAT,
    series: [
      [{ __name__: 'a' }, Number.NaN],
      [{ __name__: 'b' }, 2],
    ],
  },
  {
    id: 'H2',
    value: 'sample.jsonl',
    series: [
      [{ __name__: 'a', id: '738529527931269425' }, 1],
      [{ __name__: 'a', id: '738529527931269426' }, 2],
    ],
  },
  {
    id: 'H3',
    value: 'metric_labels.json',
    series: [[{ __name__: 'cpu', h: 'x' }, 1, 1_700_000_000_000]],
  },
  { id: 'H3', value: 'tags.json', encoding: 'json', series: [], rejects: [/tags/] },
  {
    id: 'H3',
    value: 'netdata.json',
    series: [],
    rejects: [/(?=.*prefix)(?=.*hostname)(?=.*chart_id)/],
  },
  { id: 'H3', value: 'zabbix.json', series: [], rejects: [/(?=.*host)(?=.*itemid)(?=.*item_tags)/] },
  {
    id: 'I1',
    value: 'payload.hex',
    schema: 'AVRO',
    mapping: FLAT,
    series: [[{ __name__: 'up' }, 1.5]],
  },
  {
    id: 'I2',
    value: 'payload.hex',
    schema: 'AVRO',
    mapping: { ...FLAT, timestamp: 'ts' },
    series: [[{ __name__: 'up' }, 1.5, 1_700_000_000_000]],
  },
  ...['I4', 'I5', 'I6'].map((id): Case => {
    return { id, value: 'payload.json', schema: 'JSON', mapping: FLAT, series: [UP] };
  }),
];
