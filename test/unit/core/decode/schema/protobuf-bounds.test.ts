import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { RecordBudget } from '../../../../../src/core/decode/record-budget.ts';
import { DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { ByteSink } from '../../../../../src/core/wire/byte-sink.ts';

/** A length-delimited field. */
function field(number: number, ...parts: (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const sink = new ByteSink();
  sink.varint(number * 8 + 2);
  sink.varint(content.length);
  return Buffer.concat([sink.finish(), content]);
}

const many = (part: Buffer, bytes = 4 * 1024 * 1024) =>
  Buffer.alloc(Math.floor(bytes / part.length) * part.length, part);
const SAMPLE = Buffer.from('09000000000000f03f1080d095ffbc31', 'hex');
const SYMBOLS = Buffer.concat([field(4), field(4, '__name__'), field(4, 'm')]);
const REFERENCES = Buffer.from('0a020102', 'hex');
const metric = (...data: Buffer[]) => field(1, field(2, field(2, field(1, 'm'), ...data)));
const resource = (...attributes: Buffer[]) => field(1, field(1, ...attributes));
const attribute = (key: string, ...value: Buffer[]) => field(1, field(1, key), field(2, ...value));

/** The reason why a record, or its one reject, is set aside. A clock that stands at the end is past every time. */
function outcome(encoding: string, body: Buffer, outOfTime: boolean): string {
  let now = 0;
  const budget = new RecordBudget(DEFAULT_LIMITS, 1, () => now);
  if (outOfTime) now = Number.POSITIVE_INFINITY;
  const headers = { 'content-encoding': 'identity' };
  const context = { headers, timestamp: 0, limits: DEFAULT_LIMITS, budget };
  try {
    const { rejects } = new DecoderRegistry(encoding).decode(body, context);
    return rejects.map(({ message }) => message).join();
  } catch (error) {
    if (error instanceof PoisonError) return error.reason;
    throw error;
  }
}

/** What a sender may choose the number of: each loop looks at the clock. */
const LOOPS: Record<string, readonly [encoding: string, body: Buffer]> = {
  'fields that 1.0 does not know': ['remote_write_v1', many(Buffer.from([0x10, 2]))],
  'symbols of 2.0': ['remote_write_v2', many(field(4))],
  'references of 2.0': [
    'remote_write_v2',
    Buffer.concat([SYMBOLS, field(5, many(Buffer.from([8, 1, 8, 2])))]),
  ],
  'samples of 2.0': ['remote_write_v2', Buffer.concat([SYMBOLS, field(5, REFERENCES, many(field(2)))])],
  'histograms of 2.0': [
    'remote_write_v2',
    Buffer.concat([SYMBOLS, field(5, REFERENCES, field(3, many(field(8))))]),
  ],
  'metadata of 2.0': [
    'remote_write_v2',
    Buffer.concat([SYMBOLS, field(5, REFERENCES, many(field(5)), field(2, SAMPLE))]),
  ],
  resources: ['otlp', many(field(1))],
  scopes: ['otlp', field(1, many(field(2)))],
  metrics: ['otlp', field(1, field(2, many(field(2, field(1, 'm')))))],
  'names of a metric': ['otlp', metric(many(field(1)))],
  gauges: ['otlp', metric(many(field(5)))],
  points: ['otlp', metric(field(5, many(field(1))))],
  'histograms without buckets': ['otlp', metric(field(9, many(field(1))))],
  'fields of a point': ['otlp', metric(field(5, field(1, many(Buffer.from([0x40, 0])))))],
  'attributes without a key': ['otlp', resource(many(field(1)))],
  'values of a value': ['otlp', resource(attribute('k', many(Buffer.from([0x18, 0]))))],
};

for (const [what, [encoding, body]] of Object.entries(LOOPS)) {
  test(`too many ${what} take too long`, () => {
    assert.equal(outcome(encoding, body, true), 'too_slow');
  });
}

const deep = (depth: number): Buffer =>
  depth === 0 ? field(1, 'x') : field(6, field(1, field(1, 'k'), field(2, deep(depth - 1))));

const COUNTS: Record<string, readonly [encoding: string, body: Buffer, expected: RegExp]> = {
  'series of 2.0': ['remote_write_v2', Buffer.concat([SYMBOLS, many(field(5))]), /^too_many_series$/],
  'bad series of 2.0': [
    'remote_write_v2',
    Buffer.concat([SYMBOLS, many(field(5, Buffer.from('0a020109', 'hex')))]),
    /^too_many_faults$/,
  ],
  'bad exemplars of 2.0': [
    'remote_write_v2',
    Buffer.concat([SYMBOLS, field(5, REFERENCES, many(field(4, Buffer.from('0a020109', 'hex'))))]),
    /^too_many_faults$/,
  ],
  'metrics without a name': ['otlp', field(1, field(2, many(field(2)))), /^too_many_faults$/],
  'packed counts': [
    'otlp',
    metric(field(10, field(1, field(8, field(2, Buffer.alloc(10_001)))))),
    /bucket_counts: more than 10000/,
  ],
  'counts that are not packed': [
    'otlp',
    metric(field(10, field(1, field(9, many(Buffer.from([0x10, 0])))))),
    /bucket_counts: more than 10000/,
  ],
  'buckets of a histogram': [
    'otlp',
    metric(field(9, field(1, field(6, Buffer.alloc(80_008))))),
    /bucket_counts: more than 10000/,
  ],
  'bounds of a histogram': [
    'otlp',
    metric(field(9, field(1, field(7, Buffer.alloc(80_008))))),
    /explicit_bounds: more than 10000/,
  ],
  quantiles: ['otlp', metric(field(11, field(1, many(field(6))))), /quantile_values: more than 10000/],
  attributes: ['otlp', resource(many(attribute('k', field(1, 'v')))), /^too_many_attributes$/],
  'items of an array': ['otlp', resource(attribute('k', field(5, many(field(1))))), /^too_many_attributes$/],
  'characters of an array': [
    'otlp',
    resource(attribute('k', field(5, field(1, field(1, Buffer.alloc(1024 * 1024 + 1)))))),
    /^label_value_too_long$/,
  ],
  'values in each other': ['otlp', resource(field(1, field(1, 'k'), field(2, deep(1000)))), /^nesting$/],
};

for (const [what, [encoding, body, expected]] of Object.entries(COUNTS)) {
  test(`too many ${what}`, () => {
    assert.match(outcome(encoding, body, false), expected);
  });
}

test('a histogram of as many buckets as there may be is read', () => {
  const counts = Buffer.alloc(10_000, 1);
  const body = metric(field(10, field(1, field(8, field(2, counts)))));
  assert.equal(outcome('otlp', body, false), '');
});

test('a span and a log record are named', () => {
  const span = field(
    2,
    field(1, Buffer.alloc(16, 1)),
    field(5, 'GET /'),
    Buffer.from('390100000000000000', 'hex'),
  );
  const log = field(2, Buffer.from('090100000000000000', 'hex'), field(5, field(1, 'text')));
  assert.match(outcome('otlp', field(1, field(2, span)), false), /spans \(OTLP traces\), not metrics/);
  assert.match(outcome('otlp', field(1, field(2, log)), false), /log records \(OTLP logs\), not metrics/);
});

test('a metric whose data is in a field that is not known is a reject', () => {
  for (const number of [4, 6, 8])
    assert.match(outcome('otlp', metric(field(number, 'x')), false), /no more since 0.9/);
  assert.match(outcome('otlp', metric(field(13, 'x')), false), /field 13, which is not known/);
});

test('a series of 2.0 of fields that are not known alone is a reject', () => {
  const body = Buffer.concat([SYMBOLS, field(5, REFERENCES, field(9, 'x'))]);
  assert.match(outcome('remote_write_v2', body, false), /no samples, and 1 fields/);
});

test('labels of points before OTLP 0.9 tell series apart', () => {
  const point = (value: string) => field(1, field(1, field(1, 'host'), field(2, value)));
  const body = metric(field(5, point('a'), point('b')));
  const context = { headers: { 'content-encoding': 'identity' }, timestamp: 0, limits: DEFAULT_LIMITS };
  const { body: request } = new DecoderRegistry('otlp').decode(body, context);
  assert.ok(request.includes(Buffer.from('0a090a04686f7374120161', 'hex')));
  assert.ok(request.includes(Buffer.from('0a090a04686f7374120162', 'hex')));
});
