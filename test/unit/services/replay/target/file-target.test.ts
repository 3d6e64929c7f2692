import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { compress } from '../../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../../src/core/wire/write-request-builder.ts';
import type { JournalStep } from '../../../../../src/services/replay/journal.ts';
import { Selection } from '../../../../../src/services/replay/plan/selection.ts';
import { FileTarget } from '../../../../../src/services/replay/target/file-target.ts';
import { LineFile } from '../../../../../src/services/replay/target/line-file.ts';
import { rawBodies } from '../../../../../src/services/replay/target/remote-write-bodies.ts';
import { createRunFolder, removeRunFolder } from '../../../../lab/cache.ts';
import { type Made, NOW, recordOf, remoteWrite } from '../records.ts';

const folder = createRunFolder('lines');
after(() => removeRunFolder(folder));

function targetOf(output: LineFile, committed: JournalStep[] = []): FileTarget {
  const selection = new Selection(
    { limits: DEFAULT_LIMITS, tenantHeaders: [], nowMs: () => NOW },
    new DecoderRegistry(),
  );
  const journal = {
    store: async (step: JournalStep) => {
      committed.push(step);
    },
  };
  return new FileTarget(output, rawBodies(selection, []), journal);
}

const stepOf = (...series: Made[]) => ({
  chunks: [{ partition: 0, records: [remoteWrite(series)] }],
  positions: new Map([[0, 8n]]),
});

function up(pod: string, ...samples: [number, number][]): Made {
  return {
    labels: { __name__: 'up', code: 'seven', pod },
    samples: samples.map(([time, value]) => [NOW + time, value]),
  };
}

test('a line is a series of a record, in the form that VictoriaMetrics imports', async () => {
  const file = path.join(folder, 'form.jsonl');
  const committed: JournalStep[] = [];
  const target = targetOf(await LineFile.open(file, undefined), committed);
  const values = [0.1, -0, 1e300, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const counts = await target.write(
    stepOf(up('é"\n', ...values.map((value, at): [number, number] => [at, value])), up('b', [-9, 2])),
  );
  await target.close();
  const text = readFileSync(file, 'utf8');
  const times = values.map((_, at) => NOW + at).join();
  assert.equal(
    text,
    `{"metric":{"__name__":"up","code":"seven","pod":"é\\"\\n"},` +
      `"values":[0.1,-0,1e+300,5e-324,null,"Infinity","-Infinity"],"timestamps":[${times}]}\n` +
      `{"metric":{"__name__":"up","code":"seven","pod":"b"},"values":[2],"timestamps":[${NOW - 9}]}\n`,
  );
  assert.deepEqual([counts.records, counts.samples, counts.refused.size], [1, 8, 0]);
  assert.deepEqual(committed, [
    { positions: new Map([[0, 8n]]), counts, extra: { bytes: Buffer.byteLength(text) } },
  ]);
});

test('the file reads back as what went in', async () => {
  const file = path.join(folder, 'back.jsonl');
  const target = targetOf(await LineFile.open(file, undefined));
  await target.write(stepOf(up('a', [1, 0.1], [2, Number.POSITIVE_INFINITY]), up('b', [3, -1e-7])));
  await target.close();
  const record = recordOf(readFileSync(file), { headers: { 'content-type': 'application/stream+json' } });
  const again = path.join(folder, 'again.jsonl');
  const second = targetOf(await LineFile.open(again, undefined));
  await second.write({ chunks: [{ partition: 0, records: [record] }], positions: new Map() });
  await second.close();
  assert.equal(readFileSync(again, 'utf8'), readFileSync(file, 'utf8'));
});

test('what was written behind the stored length is taken off when a replay goes on', async () => {
  const file = path.join(folder, 'resumed.jsonl');
  const committed: JournalStep[] = [];
  const first = targetOf(await LineFile.open(file, undefined), committed);
  await first.write(stepOf(up('a', [1, 1])));
  await first.close();
  const whole = readFileSync(file, 'utf8');
  appendFileSync(file, '{"metric":{"__name__":"half');
  const second = targetOf(await LineFile.open(file, committed[0]!.extra!['bytes']));
  await second.write(stepOf(up('b', [2, 2])));
  await second.close();
  const lines = readFileSync(file, 'utf8');
  assert.ok(lines.startsWith(whole));
  assert.deepEqual(
    lines
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { metric: { pod: string } }).metric.pod),
    ['a', 'b'],
  );
});

test('no file is overwritten, and one that lost its lines is not gone on with', async () => {
  const file = path.join(folder, 'kept.jsonl');
  writeFileSync(file, 'mine\n');
  await assert.rejects(LineFile.open(file, undefined), /kept\.jsonl is there already; name another file/);
  await assert.rejects(LineFile.open(file, 6), /has 5 bytes, and the replay had written 6/);
  await assert.rejects(LineFile.open(path.join(folder, 'none.jsonl'), 6), /is not there; expected the file/);
  await assert.rejects(LineFile.open(path.join(folder, 'no', 'x'), undefined), /in a folder that exists/);
  assert.equal(readFileSync(file, 'utf8'), 'mine\n');
});

test('native histograms have no place in it: they are counted', async () => {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('__name__', 'h');
  builder.field(4, Buffer.from([0x78, 1]));
  builder.field(4, Buffer.from([0x78, 2]));
  builder.endSeries();
  const file = path.join(folder, 'histograms.jsonl');
  const target = targetOf(await LineFile.open(file, undefined));
  const records = [recordOf(compress(builder.finish()))];
  const counts = await target.write({ chunks: [{ partition: 0, records }], positions: new Map() });
  await target.close();
  assert.equal(counts.samples, 0);
  assert.deepEqual([...counts.refused], [['native_histogram', 2]]);
  assert.equal(readFileSync(file, 'utf8'), '');
});
