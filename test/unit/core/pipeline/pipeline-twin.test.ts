import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Label, Labels } from '../../../../src/core/model/labels.ts';
import type { SourceRecord } from '../../../../src/core/model/records.ts';
import { Pipeline, type PipelineRoute } from '../../../../src/core/pipeline/pipeline.ts';
import { outputCapacity } from '../../../../src/core/pipeline/task-output.ts';
import { compress, uncompress } from '../../../../src/core/wire/snappy.ts';
import { decodeTimeSeries } from '../../../lab/truth/prompb.ts';
import { joinParts, plainPipeline, type SentSeries, timeSeriesOf } from '../../../support/plain-pipeline.ts';

/** Routes of many kinds, made by hand: the rules are functions here. */
const ROUTES: PipelineRoute[] = [
  route(0, { name: 'all', count: 4 }),
  route(1, {
    name: 'relabeled',
    count: 3,
    selectors: [{ matches: (labels) => labels.some(({ value }) => value.includes('a')) }],
    rules: (labels) => {
      if (labels.some(({ name, value }) => name === 'b' && value === 'drop')) return undefined;
      const kept = labels.filter(({ name }) => name !== 'c');
      return [{ name: 'zz_first', value: 'ü' }, ...kept.map(upperCased)];
    },
  }),
  route(2, {
    name: 'collides',
    count: 2,
    taskLabel: 'd',
    selectors: [{ matches: (labels) => labels.length > 2 }, { matches: (labels) => labels.length === 1 }],
    rules: (labels) => labels.filter(({ name }) => name !== '__name__'),
  }),
];

function upperCased(label: Label): Label {
  return label.name === 'd' ? { name: 'd', value: label.value.toUpperCase() } : label;
}

function route(
  index: number,
  options: {
    name: string;
    count: number;
    taskLabel?: string;
    selectors?: PipelineRoute['selectors'];
    rules?: (labels: Labels) => Labels | undefined;
  },
): PipelineRoute {
  const { name, count, taskLabel = 'stream_task_id', selectors = [], rules } = options;
  return {
    name,
    index,
    topic: `metrics.tasks.${name}`,
    selectors,
    relabeler: { apply: rules ?? ((labels) => labels) },
    hasRules: rules !== undefined,
    task: (labels) => labels.reduce((sum, { value }) => sum + value.length, 0) % count,
    taskLabel,
    count,
  };
}

/** With `padding`, so many bytes longer than need be. */
const varint = (value: bigint, padding = 0): Buffer => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  for (let i = 0; i < padding; i++) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(0);
  }
  return Buffer.from(bytes);
};
/** How much longer than need be tag and length are. */
type Padding = readonly [tag: number, length: number];
const field = (number: number, bytes: Buffer, [tag, length]: Padding = [0, 0]): Buffer =>
  Buffer.concat([varint(BigInt(number * 8 + 2), tag), varint(BigInt(bytes.length), length), bytes]);

/** `undefined` so many times as often as a value. */
function rarely<T>(times: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: times, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

/** Encoders write varints as short as they can, but nothing has them do so. */
const padding: fc.Arbitrary<Padding> = fc.oneof(
  { weight: 30, arbitrary: fc.constant<Padding>([0, 0]) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(2), fc.nat(2)) },
);

const labelName = fc.constantFrom(
  '__name__',
  'a',
  'b',
  'c',
  'd',
  'stream_task_id',
  'é',
  '\u{1f600}',
  '\uff5e',
);
const labelValue = fc.oneof(
  fc.constantFrom('', 'a', 'drop', 'x'.repeat(130), 'ünï'),
  fc.string({ maxLength: 4, unit: 'grapheme' }),
);
/** Encoded Label messages: nearly always plain, at times with the parts swapped, one missing or a field too many. */
const labelField = (name: string) =>
  fc.tuple(labelValue, fc.nat(30), padding, padding).map(([value, shape, outer, inner]) => {
    const parts = [field(1, Buffer.from(name), inner), field(2, Buffer.from(value))];
    if (shape === 0) parts.reverse();
    if (shape === 1) parts.pop();
    if (shape === 2) parts.push(Buffer.from([0x18, 0x07]));
    return field(1, Buffer.concat(parts), outer);
  });
const labelFields = fc
  .uniqueArray(labelName, { minLength: 1, maxLength: 6 })
  .chain((names) => fc.tuple(...names.map(labelField)));

const timestamp = fc.oneof(
  { weight: 9, arbitrary: fc.bigInt(1_700_000_000_000n, 1_800_000_000_000n) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0n, 1n, -1n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 35n - 1n, 2n ** 42n),
  },
);
const sampleField = fc
  .tuple(fc.option(fc.bigInt(0n, 2n ** 64n - 1n)), timestamp, padding)
  .map(([bits, time, outer]) => {
    const value = Buffer.alloc(9, 0x09);
    if (bits !== null) value.writeBigUInt64LE(bits, 1);
    const parts = [bits === null ? Buffer.alloc(0) : value, Buffer.from([0x10]), varint(time)];
    return field(2, Buffer.concat(parts), outer);
  });
const otherField = fc.constantFrom(
  field(
    3,
    Buffer.concat([field(1, Buffer.concat([field(1, Buffer.from('trace_id')), field(2, Buffer.from('x'))]))]),
  ),
  field(4, Buffer.from([0x08, 0x0b, 0x78, 0x80, 0x01])),
  Buffer.from([0x48, 0x05]),
  field(15, Buffer.from('unknown')),
);
const tailField = fc.oneof({ weight: 8, arbitrary: sampleField }, { weight: 1, arbitrary: otherField });
const malformedField = fc.constantFrom(
  Buffer.from([0x12, 0x05, 0x09]),
  Buffer.from([0x12, 0x02, 0x08, 0x05]),
  Buffer.from([0x00]),
  Buffer.from([0x0a, 0x7f]),
  field(1, field(1, Buffer.from([0xff, 0xfe]))),
  field(1, field(2, Buffer.from('no name'))),
  field(2, Buffer.from([0x10])),
);

interface Generated {
  readonly labels: Buffer[];
  readonly tail: Buffer[];
  /** Rank of each field in the message, or in order where undefined. */
  readonly mixed: number[] | undefined;
  readonly malformed: Buffer | undefined;
  readonly outer: Padding;
}

/** Few label sets, so that the same series come back, and follow each other in the same order at times. */
const timeSeries = (labelSets: Buffer[][]) =>
  fc.record<Generated>({
    labels: fc.constantFrom(...labelSets),
    tail: fc.array(tailField, { maxLength: 4 }),
    mixed: rarely(12, fc.array(fc.nat(20), { minLength: 12, maxLength: 12 })),
    malformed: rarely(25, malformedField),
    outer: padding,
  });

function encodeSeries({ labels, tail, mixed, malformed, outer }: Generated): Buffer {
  let fields = [...labels, ...tail];
  if (mixed) {
    const ranked = fields.map((bytes, i) => ({ bytes, rank: mixed[i % mixed.length]! }));
    fields = ranked.sort((a, b) => a.rank - b.rank).map(({ bytes }) => bytes);
  }
  if (malformed) fields.push(malformed);
  return field(1, Buffer.concat(fields), outer);
}

const scenario = fc.array(labelFields, { minLength: 1, maxLength: 40, size: 'max' }).chain((labelSets) =>
  fc.record({
    records: fc.array(
      fc.record({
        series: fc.array(timeSeries(labelSets), { maxLength: 20, size: 'max' }),
        /** A known order over and over, which the prediction learns. */
        repeat: fc.integer({ min: 1, max: 3 }),
        extra: fc.constantFrom(
          Buffer.alloc(0),
          field(3, Buffer.from([0x08, 0x01])),
          Buffer.from([0x78, 0x01]),
        ),
        broken: rarely(20, fc.constantFrom('truncated', 'snappy', 'empty')),
        tenant: fc.constantFrom(undefined, undefined, 'team-a', 'team-b'),
        flush: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    maxRecordBytes: fc.constantFrom(1_000_000, 2000, 420),
    cacheBytes: fc.constantFrom(0, 1 << 20),
  }),
);

/** Said, since what bytes look like has tests of its own, and padding and damage make them look like this and that. */
const WRITE_REQUEST = { 'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest' };

function recordValue(bodyParts: Buffer[], broken: string | undefined): Buffer {
  const body = Buffer.concat(bodyParts);
  if (broken === 'empty') return Buffer.alloc(0);
  if (broken === 'truncated') return compress(Buffer.concat([body, Buffer.from([0x0a, 0x7f])]));
  if (broken === 'snappy') return Buffer.concat([compress(body), Buffer.from([0x40])]);
  return compress(body);
}

test('fast and plain pipeline agree on every byte', () => {
  fc.assert(
    fc.property(scenario, ({ records, maxRecordBytes, cacheBytes }) => {
      const pipeline = new Pipeline({
        routes: ROUTES,
        cacheBytes,
        slabBytes: 2048,
        maxRecordBytes: () => maxRecordBytes,
        tenantHeaders: ['X-Scope-OrgID'],
      });
      let step = pipeline.begin();
      const sources: SourceRecord[] = [];
      const outputs = new Map<string, SentSeries[]>();
      const dead: string[] = [];
      const totals = { series: 0, samples: 0, unrouted: 0, dropped: ROUTES.map(() => 0) };
      const flush = () => {
        const { records, dead: letters, counts } = step.finish();
        step = pipeline.begin();
        for (const { route, partition, tenant, value, series } of records) {
          assert.ok(value.length <= maxRecordBytes, `a record of ${value.length} bytes`);
          const key = `${route}/${partition}/${tenant.headers['X-Scope-OrgID'] ?? ''}`;
          if (!outputs.has(key)) outputs.set(key, []);
          const messages = timeSeriesOf(uncompress(value, 2 ** 30));
          assert.equal(messages.length, series);
          for (const message of messages) {
            const { tail } = decodeTimeSeries(message);
            const labels = Buffer.from(message)
              .subarray(0, message.length - tail.length)
              .toString('hex');
            outputs.get(key)!.push({ labels, tail: tail.toString('hex') });
          }
        }
        for (const letter of letters) {
          const series = letter.series === 0 ? ['record'] : new Array<string>(letter.series).fill('series');
          dead.push(...series);
        }
        totals.series += counts.series;
        totals.samples += counts.samples;
        totals.unrouted += counts.unroutedSeries;
        counts.routes.forEach(({ droppedSeries }, i) => (totals.dropped[i]! += droppedSeries));
      };
      for (const { series, repeat, extra, broken, tenant, flush: flushNow } of records) {
        const encoded = series.map(encodeSeries);
        for (let i = 0; i < repeat; i++) {
          const value = recordValue([...encoded, extra], broken);
          const headers = { ...WRITE_REQUEST, ...(tenant !== undefined && { 'X-Scope-OrgID': tenant }) };
          const source = {
            value,
            headers,
            timestamp: i,
            topic: 'raw',
            partition: 0,
            offset: BigInt(sources.length),
          };
          sources.push(source);
          step.process(source);
        }
        if (flushNow) flush();
      }
      flush();
      const plain = plainPipeline(sources, ROUTES, outputCapacity(maxRecordBytes));
      const joined = (all: Map<string, SentSeries[]>) =>
        Object.fromEntries(
          [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, list]) => [key, joinParts(list)]),
        );
      assert.deepEqual(joined(outputs), joined(plain.outputs));
      assert.deepEqual(dead.sort(), plain.dead.sort());
      const { series, samples, unrouted, dropped } = plain;
      assert.deepEqual(totals, { series, samples, unrouted, dropped });
    }),
    { numRuns: 300 },
  );
});
