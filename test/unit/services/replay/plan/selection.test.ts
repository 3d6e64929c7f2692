import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { compileTask } from '../../../../../src/core/hash/task.ts';
import { labelsFrom } from '../../../../../src/core/model/labels.ts';
import { compileSelector } from '../../../../../src/core/relabel/selector/selector.ts';
import { compress } from '../../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../../src/core/wire/write-request-builder.ts';
import { Selection, type SelectionOptions } from '../../../../../src/services/replay/plan/selection.ts';
import { decodeWriteRequest, type PlainSeries } from '../../../../lab/truth/prompb.ts';
import { type Made, NOW, recordOf, remoteWrite, requestOf } from '../records.ts';

function selectionOf(options: Partial<SelectionOptions> = {}): Selection {
  return new Selection(
    { limits: DEFAULT_LIMITS, tenantHeaders: ['X-Scope-OrgID'], nowMs: () => NOW, ...options },
    new DecoderRegistry(),
  );
}

const match = (...selectors: string[]) => ({ match: selectors.map((text) => compileSelector(text)) });

function up(pod: string, ...times: number[]): Made {
  return { labels: { __name__: 'up', pod }, samples: times.map((time, at) => [NOW + time, at]) };
}

/** What a WriteRequest holds: `pod@time`, times from NOW. */
function held(body: Buffer | null | undefined): string[] {
  assert.ok(body);
  return decodeWriteRequest(body).series.flatMap((series) =>
    series.samples.map(({ timestamp }) => `${labelsOf(series)['pod']}@${Number(timestamp) - NOW}`),
  );
}

function labelsOf({ labels }: PlainSeries): Record<string, string> {
  return Object.fromEntries(labels);
}

test('a record of which all is taken is handed on as it is', () => {
  const record = remoteWrite([up('a', 1, 2), up('b', 3)]);
  for (const selection of [
    selectionOf(),
    selectionOf(match('up')),
    selectionOf({ fromMs: NOW + 1, toMs: NOW + 4 }),
  ]) {
    const selected = selection.select(record);
    assert.equal(selected.record, record);
    assert.deepEqual([selected.series, selected.samples, selected.leftOut], [2, 3, 0]);
    assert.equal(selected.refused.size, 0);
  }
  assert.ok(selectionOf().takesAll);
  assert.ok(!selectionOf(match('up')).takesAll && !selectionOf({ toMs: NOW }).takesAll);
  assert.ok(!selectionOf({ sample: 2 }).takesAll);
});

test('any selector lets a series in; the others are left out and counted', () => {
  const record = remoteWrite([up('a', 1, 2), up('b', 3), up('c', 4), up('d', 5, 6, 7)], {
    headers: { 'content-encoding': Buffer.from('snappy'), 'X-Scope-OrgID': Buffer.from('7'), other: 'x' },
  });
  const selected = selectionOf(match('{pod="b"}', '{pod=~"d|e"}')).select(record);
  assert.deepEqual(held(selected.record?.value), ['b@3', 'd@5', 'd@6', 'd@7']);
  assert.deepEqual([selected.series, selected.samples, selected.leftOut], [2, 4, 3]);
  const { headers, ...rest } = selected.record!;
  assert.deepEqual(
    { ...rest, value: null },
    { topic: 'metrics.raw', partition: 2, offset: 7n, timestamp: NOW, key: null, value: null },
  );
  assert.deepEqual(headers, {
    'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest',
    'content-encoding': 'identity',
    'X-Scope-OrgID': Buffer.from('7'),
  });
});

test('what is handed on can be selected from again', () => {
  const record = remoteWrite([up('a', 1), up('b', 2), up('c', 3)]);
  const once = selectionOf(match('{pod=~"a|b"}')).select(record).record!;
  const twice = selectionOf(match('{pod=~"b|c"}')).select(once).record!;
  assert.deepEqual(held(twice.value), ['b@2']);
});

test('nothing is handed on where no series is left', () => {
  const selected = selectionOf(match('{pod="z"}')).select(remoteWrite([up('a', 1), up('b', 2)]));
  assert.deepEqual(
    { ...selected, refused: [...selected.refused] },
    { record: undefined, series: 0, samples: 0, leftOut: 2, refused: [] },
  );
});

test('by sample time, the beginning is in and the end is out; a series at the edge is split', () => {
  const record = remoteWrite([
    up('before', -5, 9),
    up('edges', 9, 10, 19, 20),
    up('within', 12),
    up('around', 9, 20),
    up('after', 20, 30),
  ]);
  const selected = selectionOf({ fromMs: NOW + 10, toMs: NOW + 20 }).select(record);
  assert.deepEqual(held(selected.record?.value), ['edges@10', 'edges@19', 'within@12']);
  assert.deepEqual([selected.series, selected.samples, selected.leftOut], [2, 3, 8]);
});

test('native histograms have a time too; exemplars stay with the first part', () => {
  const builder = new WriteRequestBuilder();
  const histogram = (time: number) => Buffer.concat([Buffer.from([0x78]), varint(time)]);
  builder.beginSeries();
  builder.label('__name__', 'h');
  builder.field(4, histogram(NOW + 1));
  builder.field(4, histogram(NOW + 2));
  builder.field(3, Buffer.from([0x11, 0, 0, 0, 0, 0, 0, 0, 0]));
  builder.endSeries();
  const record = recordOf(compress(builder.finish()));
  const { record: chosen, samples, leftOut } = selectionOf({ fromMs: NOW + 2 }).select(record);
  const [series] = decodeWriteRequest(chosen!.value!).series;
  assert.deepEqual(
    series!.histograms.map(({ timestamp }) => timestamp),
    [String(NOW + 2)],
  );
  assert.equal(series!.exemplars.length, 1);
  assert.deepEqual([samples, leftOut], [1, 1]);
});

test('a sample takes whole series, about one in so many, and does not follow the tasks', () => {
  const all = Array.from({ length: 40_000 }, (_, index) => up(`pod-${index}`, 1));
  const taken = held(selectionOf({ sample: 16 }).select(remoteWrite(all)).record?.value);
  assert.ok(Math.abs(taken.length - 2_500) < 250, `${taken.length} of 40000`);
  const again = held(
    selectionOf({ sample: 16 }).select(remoteWrite(all.map(({ labels }) => up(labels['pod']!, 8)))).record
      ?.value,
  );
  assert.deepEqual(
    again.map((text) => text.split('@')[0]),
    taken.map((text) => text.split('@')[0]),
  );
  const task = compileTask({ labels: ['__name__', 'pod'], count: 16, spread: 1, hash: 'mod' });
  const tasks = new Set(taken.map((text) => task(labelsFrom(up(text.split('@')[0]!).labels))));
  assert.equal(tasks.size, 16);
});

test('a sample takes a series with an empty label where it takes the one without', () => {
  const all = Array.from({ length: 200 }, (_, at) => up(`p${at}`, 1));
  const empty = all.map(({ labels, samples }) => ({ labels: { ...labels, zone: '' }, samples }));
  const taken = (series: typeof all) =>
    held(selectionOf({ sample: 4 }).select(remoteWrite(series)).record?.value);
  assert.ok(taken(all).length > 10);
  assert.deepEqual(taken(empty), taken(all));
});

test('label fields behind the samples count like any others, and labels are compared whatever the cache says', () => {
  const label = (name: string, value: string) =>
    Buffer.from(`\x0a${chr(name)}${name}\x12${chr(value)}${value}`);
  const sample = Buffer.concat([Buffer.from([0x09]), Buffer.alloc(8), Buffer.from([0x10]), varint(NOW + 1)]);
  const builder = new WriteRequestBuilder();
  for (const pod of ['a', 'b', 'a', 'b', 'b']) {
    builder.beginSeries();
    builder.field(2, sample);
    builder.field(1, label('pod', pod));
    builder.endSeries();
  }
  const selected = selectionOf(match('{pod="b"}')).select(recordOf(compress(builder.finish())));
  assert.deepEqual(held(selected.record?.value), ['b@1', 'b@1', 'b@1']);
  assert.equal(selected.leftOut, 2);
});

test('a malformed series is left out and counted, also where nothing is asked', () => {
  const builder = new WriteRequestBuilder();
  builder.rawSeries(Buffer.from([0x0a, 0x7f, 1]));
  const value = compress(Buffer.concat([requestOf([up('a', 1)]), builder.finish(), requestOf([up('b', 2)])]));
  const record = recordOf(value, {
    headers: { 'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest' },
  });
  const selected = selectionOf().select(record);
  assert.deepEqual(held(selected.record?.value), ['a@1', 'b@2']);
  assert.deepEqual([...selected.refused], [['protobuf', 1]]);
  assert.deepEqual([selected.samples, selected.leftOut], [2, 0]);
});

test('a record that cannot be decoded is counted by reason', () => {
  const reasons = [
    recordOf(null),
    recordOf(Buffer.alloc(0)),
    recordOf(Buffer.from('x'), { headers: { 'content-encoding': 'br' } }),
  ].map((record) => {
    const { record: chosen, refused } = selectionOf().select(record);
    assert.equal(chosen, undefined);
    return [...refused];
  });
  assert.deepEqual(reasons, [[['null_value', 1]], [['empty_record', 1]], [['content_encoding', 1]]]);
});

test('other encodings become a WriteRequest where they are cut, and stay as they are where not', () => {
  const line = (pod: string, time: number) => `up{pod="${pod}"} 1 ${NOW + time}\n`;
  const headers = { 'content-type': 'text/plain; version=0.0.4' };
  const whole = recordOf(Buffer.from(line('a', 1) + line('b', 2)), { headers });
  assert.equal(selectionOf(match('up')).select(whole).record, whole);
  assert.deepEqual(held(selectionOf(match('{pod="a"}')).select(whole).record?.value), ['a@1']);
  const zstd = recordOf(zstdCompressSync(requestOf([up('a', 1), up('b', 2)])), {
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'zstd' },
  });
  assert.deepEqual(held(selectionOf(match('{pod="b"}')).select(zstd).record?.value), ['b@2']);
  const faulty = recordOf(Buffer.from(`${line('a', 1)}up{ 1\n`), { headers });
  const { record, refused } = selectionOf().select(faulty);
  assert.deepEqual(held(record?.value), ['a@1'], 'a line that cannot be read is not handed on');
  assert.deepEqual([...refused], [['prometheus_text_line', 1]]);
});

test('any request comes out as a plain filter has it', () => {
  const series = fc.record({
    pod: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    times: fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 4 }),
  });
  const selection = selectionOf({ ...match('{pod=~"a|b"}', '{pod="d"}'), fromMs: NOW - 1, toMs: NOW + 2 });
  fc.assert(
    fc.property(fc.array(series, { maxLength: 12 }), (all) => {
      const made = all.map(({ pod, times }) => up(pod, ...times));
      const { record, samples, leftOut } = selection.select(remoteWrite(made));
      const expected = made.flatMap(({ labels, samples }) =>
        samples
          .filter(([time]) => time >= NOW - 1 && time < NOW + 2 && /[abd]/.test(labels['pod']!))
          .map(([time]) => `${labels['pod']}@${time - NOW}`),
      );
      const body = selection.open(remoteWrite(made)).body;
      assert.deepEqual(body === undefined ? [] : held(body), expected);
      assert.equal(record === undefined, body === undefined);
      assert.equal(samples, expected.length);
      assert.equal(samples + leftOut, made.flatMap((one) => one.samples).length);
    }),
  );
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function chr(text: string): string {
  return String.fromCharCode(text.length);
}

test('a record of too many faults is looked at no further; its other series are counted for that', () => {
  const all = Array.from({ length: 1_000 }, (_, at) => (at === 3 ? up('a', 1) : { labels: {}, samples: [] }));
  const limits = { ...DEFAULT_LIMITS, faults_per_record: 10 };
  const { record, series, refused } = selectionOf({ limits, ...match('up') }).select(remoteWrite(all));
  assert.deepEqual(held(record?.value), ['a@1']);
  assert.equal(series, 1);
  assert.deepEqual(
    [...refused],
    [
      ['no_labels', 11],
      ['too_many_faults', 988],
    ],
  );
});

test('a record has no more CPU time than in a worker', () => {
  const all = Array.from({ length: 200 }, (_, at) => up(`pod-${at}`, 1));
  const busy = {
    matches: () => {
      for (const end = process.cpuUsage().user + 2_000; process.cpuUsage().user < end; );
      return true;
    },
  };
  const limits = { ...DEFAULT_LIMITS, record_time: 40 };
  const { series, refused } = selectionOf({ limits, match: [busy] }).select(remoteWrite(all));
  assert.ok(series > 0 && series < 150, `${series} series`);
  assert.deepEqual([...refused], [['too_slow', 200 - series]]);
});

test('more series than a record may have are refused as a worker does', () => {
  const limits = { ...DEFAULT_LIMITS, series_per_record: 1 };
  const { record, refused } = selectionOf({ limits }).select(remoteWrite([up('a', 1), up('b', 1)]));
  assert.equal(record, undefined);
  assert.deepEqual([...refused], [['too_many_series', 1]]);
});

test('a sound record with nothing in it is counted, whatever is asked', () => {
  const empty = recordOf(Buffer.from('[]'), { headers: { 'content-type': 'application/jsonl' } });
  for (const options of [{}, match('up')]) {
    const { record, refused } = selectionOf(options).select(empty);
    assert.equal(record, undefined);
    assert.deepEqual([...refused], [['empty_record', 1]]);
  }
});
