import { createRequire } from 'node:module';
import type { Label } from '../../src/core/model/labels.ts';
import type { SourceRecord } from '../../src/core/model/records.ts';
import type { PipelineRoute } from '../../src/core/pipeline/pipeline.ts';
import { decodeTimeSeries, type PlainSeries } from '../lab/truth/prompb.ts';

const require = createRequire(import.meta.url);
const { uncompress } = require('snappyjs') as { uncompress(bytes: Buffer): Buffer };
const protobuf = require('protobufjs/minimal') as {
  Reader: {
    create(bytes: Uint8Array): {
      pos: number;
      len: number;
      uint32(): number;
      bytes(): Uint8Array;
      skipType(wireType: number): void;
    };
  };
  Writer: { create(): PlainWriter };
};

interface PlainWriter {
  uint32(value: number): PlainWriter;
  string(value: string): PlainWriter;
  bytes(value: Uint8Array): PlainWriter;
  finish(): Uint8Array;
}

/** Output of the plain pipeline: the series per `route/task/tenant`, in order, and the dead letters. */
export interface PlainResult {
  readonly outputs: Map<string, SentSeries[]>;
  /** `record` or `series` for each dead letter, in order of records. */
  readonly dead: string[];
  readonly series: number;
  readonly samples: number;
  readonly unrouted: number;
  readonly dropped: number[];
}

/** A series as sent: its encoded labels, and the bytes of all that follows them. */
export interface SentSeries {
  readonly labels: string;
  tail: string;
}

/**
 * The plain twin of src/core/pipeline/pipeline.ts: every series is decoded to objects, routed, relabeled, hashed and
 * encoded again. It has no cache, shares no wire code with the fast one, and keeps everything in memory.
 *
 * @param capacity largest WriteRequest, in bytes before compression; a series that does not fit one alone is set aside
 */
export function plainPipeline(
  records: readonly SourceRecord[],
  routes: readonly PipelineRoute[],
  capacity: number,
): PlainResult {
  const outputs = new Map<string, SentSeries[]>();
  const dead: string[] = [];
  const dropped = routes.map(() => 0);
  let series = 0;
  let samples = 0;
  let unrouted = 0;
  for (const record of records) {
    let messages: Uint8Array[];
    try {
      messages = timeSeriesOf(uncompress(record.value!));
    } catch {
      dead.push('record');
      continue;
    }
    for (const message of messages) {
      const decoded = decodeOrUndefined(message);
      if (!decoded || !usable(decoded.labels)) {
        dead.push('series');
        continue;
      }
      const labels = decoded.labels.map(([name, value]): Label => ({ name, value }));
      series++;
      samples += decoded.samples.length + decoded.histograms.length;
      let matched = false;
      for (const route of routes) {
        if (route.selectors.length > 0 && !route.selectors.some((selector) => selector.matches(labels)))
          continue;
        matched = true;
        const relabeled = route.relabeler.apply(labels);
        if (!relabeled || relabeled.length === 0) {
          dropped[route.index]!++;
          continue;
        }
        const task = route.task(relabeled);
        const final = relabeled.filter(({ name }) => name !== route.taskLabel);
        final.push({ name: route.taskLabel, value: String(task) });
        final.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
        const encoded = encodeLabels(final);
        const fits = (fields: Buffer) => framed(encoded.length / 2 + fields.length) <= capacity;
        let { fields } = decoded;
        if (!fits(decoded.tail)) {
          // The labels alone take all but the few bytes that a field's framing may need, or next to all.
          const room = capacity - encoded.length / 2;
          if (room <= 6 || encoded.length / 2 > 8 * room) {
            dead.push('series');
            continue;
          }
          fields = fields.filter(fits);
          for (let i = fields.length; i < decoded.fields.length; i++) dead.push('series');
          if (fields.length === 0) continue;
        }
        const key = `${route.index}/${task}/${record.headers['X-Scope-OrgID'] ?? ''}`;
        if (!outputs.has(key)) outputs.set(key, []);
        outputs.get(key)!.push({ labels: encoded, tail: Buffer.concat(fields).toString('hex') });
      }
      if (!matched) unrouted++;
    }
  }
  return { outputs, dead, series, samples, unrouted, dropped };
}

/** Bytes of a TimeSeries with the tag and the length in front of it. */
function framed(bytes: number): number {
  return protobuf.Writer.create().uint32(10).bytes(new Uint8Array(bytes)).finish().length;
}

/** Joins the parts of a series that was split: neighbours with the same labels. */
export function joinParts(series: readonly SentSeries[]): SentSeries[] {
  const joined: SentSeries[] = [];
  for (const { labels, tail } of series) {
    const last = joined.at(-1);
    if (last && last.labels === labels) last.tail += tail;
    else joined.push({ labels, tail });
  }
  return joined;
}

/** The TimeSeries messages of a WriteRequest. Throws if its framing is broken. */
export function timeSeriesOf(body: Uint8Array): Uint8Array[] {
  const reader = protobuf.Reader.create(body);
  const messages: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 10) messages.push(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return messages;
}

export function encodeLabels(labels: readonly Label[]): string {
  const writer = protobuf.Writer.create();
  for (const { name, value } of labels) {
    const label = protobuf.Writer.create().uint32(0x0a).string(name).uint32(0x12).string(value).finish();
    writer.uint32(0x0a).bytes(label);
  }
  return Buffer.from(writer.finish()).toString('hex');
}

function decodeOrUndefined(message: Uint8Array): PlainSeries | undefined {
  try {
    return decodeTimeSeries(message);
  } catch {
    return undefined;
  }
}

function usable(labels: readonly [string, string][]): boolean {
  const names = new Set(labels.map(([name]) => name));
  return labels.length > 0 && !names.has('') && names.size === labels.length;
}
