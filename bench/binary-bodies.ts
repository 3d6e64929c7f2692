import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { RecordHeaders } from '../src/core/record/headers.ts';
import { ByteSink } from '../src/core/wire/byte-sink.ts';
import { viewOf } from '../src/core/wire/bytes.ts';
import { seriesLabels } from '../test/lab/generator/generate-series.ts';
import { compressed, encodeWriteRequest } from '../test/lab/generator/write-request.ts';
import type { EncodedBody } from './text-bodies.ts';

const START_MS = 1_760_000_000_000;
const LABELS = 12;
const SEED = 1;

/** The same series as those of the text encodings, 12 labels each, in remote write, OTLP and JSON. */
export function binaryBodies(series = 2000): EncodedBody[] {
  const labels = Array.from({ length: series }, (_, number) => seriesLabels(number, LABELS, SEED));
  const body = (encoding: string, bytes: Buffer): EncodedBody => ({ encoding, body: bytes, samples: series });
  const json = labels.map((pairs, number) =>
    JSON.stringify({
      timestamp: new Date(START_MS).toISOString(),
      value: String(sampleValue(number)),
      name: Object.fromEntries(pairs)['__name__'],
      labels: Object.fromEntries(pairs),
    }),
  );
  const v1 = remoteWriteV1(labels);
  const encodedAs = (encoding: string, bytes: Buffer, headers: RecordHeaders) => ({
    ...body(encoding, bytes),
    headers,
  });
  const v1Type = { 'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest' };
  return [
    encodedAs('remote_write_v1, snappy', compressed(v1), { ...v1Type, 'content-encoding': 'snappy' }),
    encodedAs('remote_write_v1, zstd', zstdCompressSync(v1), { ...v1Type, 'content-encoding': 'zstd' }),
    encodedAs('remote_write_v1, gzip', gzipSync(v1), { ...v1Type, 'content-encoding': 'gzip' }),
    encodedAs('victoriametrics_remote_write, zstd', zstdCompressSync(v1), {
      'x-victoriametrics-remote-write-version': '1',
    }),
    body('remote_write_v2', remoteWriteV2(labels)),
    body('otlp', otlp(labels)),
    body('otlp_json', Buffer.from(JSON.stringify(otlpJson(labels)))),
    body('json, a line a sample', Buffer.from(json.join('\n'))),
  ];
}

type Pairs = readonly (readonly [string, string])[];

const sampleValue = (number: number) => number * 1.5;

function remoteWriteV1(series: readonly Pairs[]): Buffer {
  return encodeWriteRequest(
    series.map((labels, number) => ({ labels, samples: [[START_MS + number, sampleValue(number)]] })),
  );
}

function remoteWriteV2(series: readonly Pairs[]): Buffer {
  const symbols = new Map([['', 0]]);
  const reference = (text: string) => {
    const known = symbols.get(text);
    if (known !== undefined) return known;
    symbols.set(text, symbols.size);
    return symbols.size - 1;
  };
  const all = series.map((pairs, number) => {
    const references = new ByteSink();
    for (const [name, value] of pairs) {
      references.varint(reference(name));
      references.varint(reference(value));
    }
    const sample = new ByteSink();
    double(sample, 0x09, sampleValue(number));
    sample.byte(0x10);
    sample.varint(START_MS + number);
    return message([
      [0x0a, references.finish()],
      [0x12, sample.finish()],
      [0x2a, Buffer.from([0x08, 1])],
    ]);
  });
  const table = [...symbols.keys()].map((text): Field => [0x22, Buffer.from(text)]);
  return message([...table, ...all.map((one): Field => [0x2a, one])]);
}

function otlp(series: readonly Pairs[]): Buffer {
  const metrics = series.map((pairs, number): Field => {
    const point = new ByteSink();
    double(point, 0x21, sampleValue(number));
    point.byte(0x19);
    const time = Buffer.alloc(8);
    time.writeBigUInt64LE(BigInt(START_MS + number) * 1_000_000n);
    point.copy(viewOf(time), 0, 8);
    for (const [name, value] of pairs) {
      if (name === '__name__') continue;
      const of = message([
        [0x0a, Buffer.from(name)],
        [0x12, message([[0x0a, Buffer.from(value)]])],
      ]);
      point.field(0x3a, viewOf(of), 0, of.length);
    }
    const gauge = message([[0x0a, point.finish()]]);
    return [
      0x12,
      message([
        [0x0a, Buffer.from(nameOf(pairs))],
        [0x2a, gauge],
      ]),
    ];
  });
  return message([[0x0a, message([[0x12, message(metrics)]])]]);
}

function otlpJson(series: readonly Pairs[]): object {
  const metrics = series.map((pairs, number) => ({
    name: nameOf(pairs),
    gauge: {
      dataPoints: [
        {
          timeUnixNano: `${START_MS + number}000000`,
          asDouble: sampleValue(number),
          attributes: pairs
            .filter(([name]) => name !== '__name__')
            .map(([key, stringValue]) => ({ key, value: { stringValue } })),
        },
      ],
    },
  }));
  return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
}

function nameOf(pairs: Pairs): string {
  return pairs.find(([name]) => name === '__name__')![1];
}

type Field = readonly [tag: number, content: Buffer];

function message(fields: readonly Field[]): Buffer {
  const sink = new ByteSink();
  for (const [tag, content] of fields) sink.field(tag, viewOf(content), 0, content.length);
  return sink.finish();
}

function double(sink: ByteSink, tag: number, value: number): void {
  sink.byte(tag);
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  sink.copy(viewOf(bytes), 0, 8);
}
