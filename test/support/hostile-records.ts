/**
 * Records that producers, clients and agents have been seen to write by accident or on purpose, with the expected
 * outcome of each. Written by plain code and other libraries, not by the code under test.
 */
import { createRequire } from 'node:module';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Point, PRODUCERS } from './encoded-records.ts';

const require = createRequire(import.meta.url);
const snappy = require('snappyjs') as { compress(bytes: Uint8Array): Uint8Array };

export interface HostileRecord {
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | Buffer | null>>;
  /** Kafka timestamp in ms; absent: the time of writing. */
  readonly timestamp?: number;
  /** Metric names of the samples that arrive; each has the value 1. */
  readonly metrics: readonly string[];
  /** Expected dead letters: exactly one, at least one, or none. */
  readonly dead: 'one' | 'some' | 'none';
}

/** A kind of record. `name` is unique: it becomes the name of the metric. */
export interface HostileKind {
  readonly kind: string;
  readonly record: (name: string, timeMs: number) => HostileRecord;
}

const V1 = 'application/x-protobuf;proto=prometheus.WriteRequest';
const TEXT = 'text/plain; version=0.0.4';
const MIB = 1024 * 1024;

const bySize = new Map<string, Buffer>();

/** A large body, made once. */
function kept(name: string, make: () => Buffer): Buffer {
  const known = bySize.get(name) ?? make();
  bySize.set(name, known);
  return known;
}

function point(metric: string, timeMs: number): Point {
  return { metric, labels: { service: 'hostile' }, value: 1, time: Math.floor(timeMs / 1000) * 1000 };
}

function written(producer: string, metric: string, timeMs: number) {
  return PRODUCERS.find(({ name }) => name === producer)!.write([point(metric, timeMs)]);
}

const remoteWrite = (metric: string, timeMs: number) => {
  const { body } = written('remote_write_v1 as it is', metric, timeMs);
  return { body, snappied: Buffer.from(snappy.compress(body)) };
};

const text = (metric: string, timeMs: number) =>
  Buffer.from(`${metric}{service="hostile"} 1 ${Math.floor(timeMs / 1000) * 1000}\n`);

const good = (metric: string): Pick<HostileRecord, 'metrics' | 'dead'> => ({
  metrics: [metric],
  dead: 'none',
});
const oneDead: Pick<HostileRecord, 'metrics' | 'dead'> = { metrics: [], dead: 'one' };
const someDead: Pick<HostileRecord, 'metrics' | 'dead'> = { metrics: [], dead: 'some' };

function kind(name: string, record: HostileKind['record']): HostileKind {
  return { kind: name, record };
}

/** Headers named like members of Object's prototype, headers without a value, and headers that contradict the body. */
const HEADERS: readonly HostileKind[] = [
  kind('header __proto__', (name, timeMs) => ({
    value: text(name, timeMs),
    headers: JSON.parse(`{"content-type":"${TEXT}","__proto__":"x","constructor":"y"}`) as Record<
      string,
      string
    >,
    ...good(name),
  })),
  kind('null headers', (name, timeMs) => ({
    value: text(name, timeMs),
    headers: {
      'content-type': null,
      'content-encoding': null,
      'X-Scope-OrgID': null,
      'penstock-timestamp': null,
    },
    ...good(name),
  })),
  kind('ten thousand headers', (name, timeMs) => ({
    value: text(name, timeMs),
    headers: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`h${at}`, 'x'])),
    ...good(name),
  })),
  kind('a tenant of 200 KiB', (name, timeMs) => ({
    value: text(name, timeMs),
    headers: { 'content-type': TEXT, 'X-Scope-OrgID': 'x'.repeat(200 * 1024) },
    ...oneDead,
  })),
  kind('a content type that nobody knows', (name, timeMs) => ({
    value: text(name, timeMs),
    headers: { 'content-type': 'application/x-nobody' },
    ...oneDead,
  })),
  kind('no time', (name) => ({
    value: Buffer.from(`${name}{service="hostile"} 1\n`),
    headers: { 'content-type': TEXT },
    timestamp: -1,
    ...good(name),
  })),
];

const COMPRESSION: readonly HostileKind[] = [
  kind('two zstd frames', (name, timeMs) => ({
    value: Buffer.concat([
      zstdCompressSync(text(`${name}_a`, timeMs)),
      zstdCompressSync(text(`${name}_b`, timeMs)),
    ]),
    headers: { 'content-type': TEXT, 'content-encoding': 'zstd' },
    metrics: [`${name}_a`, `${name}_b`],
    dead: 'none',
  })),
  kind('zstd under the name of snappy', (name, timeMs) => ({
    value: zstdCompressSync(remoteWrite(name, timeMs).body),
    headers: { 'content-type': V1, 'content-encoding': 'snappy' },
    ...good(name),
  })),
  kind('snappy under the name of zstd', (name, timeMs) => ({
    value: remoteWrite(name, timeMs).snappied,
    headers: { 'content-type': V1, 'content-encoding': 'zstd' },
    ...good(name),
  })),
  kind('gzip that is cut off', (name, timeMs) => ({
    value: gzipSync(text(name, timeMs)).subarray(0, -6),
    headers: { 'content-type': TEXT, 'content-encoding': 'gzip' },
    ...oneDead,
  })),
  kind('a bomb of 1 GiB in gzip in name', () => ({
    value: kept('bomb', () => gzipSync(Buffer.alloc(64 * MIB))),
    headers: { 'content-type': TEXT, 'content-encoding': 'gzip' },
    ...oneDead,
  })),
];

const PROTOBUF: readonly HostileKind[] = [
  kind('remote write 2.0 under the type of 1.0', (name, timeMs) => ({
    value: written('remote_write_v2', name, timeMs).body,
    headers: { 'content-type': V1, 'content-encoding': 'snappy' },
    ...good(name),
  })),
  kind('millions of empty series', () => ({
    value: kept('empty series', () => zstdCompressSync(Buffer.alloc(31 * MIB, Buffer.from([0x0a, 0x00])))),
    headers: { 'content-type': V1, 'content-encoding': 'zstd' },
    ...someDead,
  })),
  kind('random bytes', (name) => ({
    value: Buffer.concat([Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), Buffer.from(name)]),
    headers: { 'content-type': V1, 'content-encoding': 'identity' },
    ...oneDead,
  })),
  kind('no value', () => ({ value: null, headers: {}, ...oneDead })),
  kind('an empty value', () => ({ value: Buffer.alloc(0), headers: {}, ...oneDead })),
];

const JSON_KINDS: readonly HostileKind[] = [
  kind('2 MiB of {}', () => ({
    value: kept('braces', () => gzipSync(Buffer.from('{}'.repeat(MIB)))),
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    ...someDead,
  })),
  kind('lists within lists', () => ({
    value: kept('lists', () => Buffer.from('['.repeat(500_000))),
    headers: { 'content-type': 'application/json' },
    ...someDead,
  })),
  kind('ids that are large integers', (name, timeMs) => {
    const samples = ['738529527931269425', '738529527931269426'].map(
      (id) =>
        `{"name":"${name}","labels":{"service":"hostile","id":${id}},"value":1,"timestamp":"${new Date(Math.floor(timeMs / 1000) * 1000).toISOString()}"}`,
    );
    return {
      value: Buffer.from(samples.join('\n')),
      headers: { 'content-type': 'application/jsonl' },
      metrics: [name, name],
      dead: 'none',
    };
  }),
  kind('the JSON of another program', (name) => ({
    value: Buffer.from(
      JSON.stringify({
        host: { host: 'a', name: 'a' },
        groups: ['g'],
        itemid: 1,
        name,
        clock: 1,
        ns: 1,
        value: 1,
        type: 0,
      }),
    ),
    headers: { 'content-type': 'application/json' },
    ...someDead,
  })),
  kind('OTLP JSON with empty metrics', () => ({
    value: kept('empty metrics', () =>
      gzipSync(
        Buffer.from(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${'{},'.repeat(2 * MIB)}{}]}]}]}`),
      ),
    ),
    headers: { 'content-type': 'application/x-otlp+json', 'content-encoding': 'gzip' },
    ...someDead,
  })),
];

const TEXTS: readonly HostileKind[] = [
  kind('a byte order mark', (name, timeMs) => ({
    value: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text(name, timeMs)]),
    headers: { 'content-type': TEXT },
    ...good(name),
  })),
  kind('an exemplar behind a sample without labels', (name, timeMs) => ({
    value: Buffer.from(`${name}_total 1 ${timeMs / 1000} # {trace_id="a"} 5\n`),
    headers: { 'content-type': 'application/openmetrics-text; version=1.0.0' },
    ...good(`${name}_total`),
  })),
  kind('a brace in a tag', (name, timeMs) => ({
    value: Buffer.from(
      `${name},service=hostile,uri=/users/{id} v=1 ${timeMs}000000\n${name},service=hostile w=1 ${timeMs}000000`,
    ),
    headers: {},
    metrics: [`${name}_v`, `${name}_w`],
    dead: 'none',
  })),
  kind('a hundred thousand lines that are none', () => ({
    value: kept('lines', () => gzipSync(Buffer.from('0bad{ 1\n'.repeat(100_000)))),
    headers: { 'content-type': TEXT, 'content-encoding': 'gzip' },
    ...someDead,
  })),
  kind('lines of which each tenth is none', (name, timeMs) => ({
    value: Buffer.from(`${'0bad{ 1\n'.repeat(900)}${text(name, timeMs).toString()}`),
    headers: { 'content-type': TEXT },
    metrics: [name],
    dead: 'some',
  })),
  kind('Latin-1', (name) => ({
    value: Buffer.from(`${name}{service="caf\xe9"} 1\n`, 'latin1'),
    headers: { 'content-type': TEXT },
    ...someDead,
  })),
];

const SCHEMAS: readonly HostileKind[] = [
  kind('a frame with a schema, and no registry', (name) => ({
    value: Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), Buffer.from(name)]),
    headers: { 'content-type': 'application/vnd.confluent.avro' },
    ...oneDead,
  })),
];

/** All kinds, in a fixed order. */
export const HOSTILE_KINDS: readonly HostileKind[] = [
  ...HEADERS,
  ...COMPRESSION,
  ...PROTOBUF,
  ...JSON_KINDS,
  ...TEXTS,
  ...SCHEMAS,
];
