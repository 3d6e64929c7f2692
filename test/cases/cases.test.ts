/** Inputs that were handled wrongly once, through everything that reads records: worker, decode, replay, dead letters. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/app/config/load.ts';
import { DEFAULT_LIMITS } from '../../src/core/decode/decoder.ts';
import type { DecoderRegistry } from '../../src/core/decode/registry.ts';
import { errorMessage } from '../../src/core/model/errors.ts';
import { type Label, labelsFrom } from '../../src/core/model/labels.ts';
import { Pipeline } from '../../src/core/pipeline/pipeline.ts';
import { RecordReading } from '../../src/core/pipeline/read-record.ts';
import { uncompress } from '../../src/core/wire/snappy.ts';
import type { FetchedRecord } from '../../src/io/kafka/partition-queue.ts';
import { contentsOf } from '../../src/services/dead/contents.ts';
import { Selection } from '../../src/services/replay/plan/selection.ts';
import { decodeWriteRequest, doubleOf } from '../lab/truth/prompb.ts';
import { PASS_ROUTE } from '../support/pass-route.ts';
import { letterOf } from '../support/records.ts';
import { caseFolders, casePath, caseRecord, RECORD_TIME } from './case-record.ts';
import { CASES, type Case } from './table.ts';

const NOW = RECORD_TIME + 1000;

interface Outcome {
  readonly series: readonly string[];
  readonly rejects: readonly string[];
  readonly exemplars: number;
}

/** A series as text; labels in the order of their names, since routing may write them so. */
function text(
  labels: readonly Label[],
  samples: readonly (readonly [time: number, value: number])[],
): string {
  const sorted = labels.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const told = samples.map(([time, value]) => `${Object.is(value, -0) ? '-0' : value} @ ${time}`);
  return `{${sorted.map(({ name, value }) => `${name}=${JSON.stringify(value)}`).join()}} ${told.join()}`;
}

function expected({ series, exemplars = 0 }: Case, recordTime: number): Omit<Outcome, 'rejects'> {
  return {
    series: series.map(([labels, value, time = recordTime]) => text(labelsFrom(labels), [[time, value]])),
    exemplars,
  };
}

function plainly(record: FetchedRecord, decoders: DecoderRegistry): Outcome {
  const series: string[] = [];
  const rejects: string[] = [];
  let exemplars = 0;
  const left = new RecordReading(decoders, DEFAULT_LIMITS, NOW).read(record, {
    series: ({ labels, samples, exemplars: of }) => {
      series.push(
        text(
          labels,
          [...samples].map(({ timestamp, value }) => [Number(timestamp), value]),
        ),
      );
      exemplars += of;
    },
    reject: (reason, message) => void rejects.push(`${reason}: ${message}`),
  });
  for (const [kind, count] of Object.entries(left.uncarried)) if (/exemplar/.test(kind)) exemplars += count;
  return { series, rejects, exemplars };
}

/** Through the worker's pipeline, which writes what is read to a task and what is not to the dead letters. */
function byWorker(record: FetchedRecord, decoders: DecoderRegistry): Omit<Outcome, 'exemplars'> {
  const step = new Pipeline({
    routes: [PASS_ROUTE],
    cacheBytes: 64 * 1024,
    slabBytes: 16 * 1024,
    maxRecordBytes: () => 1_000_000,
    decoders: () => decoders,
    now: () => NOW,
  }).begin('raw');
  step.process(record);
  const { records, dead } = step.finish();
  return {
    series: seriesOf(Buffer.concat(records.map(({ value }) => uncompress(value, 1_000_000)))),
    rejects: dead.map(({ reason, message }) => `${reason}: ${message}`),
  };
}

function byReplay(record: FetchedRecord, decoders: DecoderRegistry): readonly string[] {
  const { body } = new Selection(
    { limits: DEFAULT_LIMITS, tenantHeaders: [], nowMs: Date.now },
    decoders,
  ).open(record);
  return body === undefined ? [] : seriesOf(body);
}

function byDeadReader(record: FetchedRecord, decoders: DecoderRegistry): readonly string[] {
  const { series } = contentsOf(letterOf(record), decoders, 100);
  return series.map(({ labels, samples }) =>
    text(
      labels,
      samples.map(({ timestamp, value }) => [timestamp, value]),
    ),
  );
}

function seriesOf(request: Buffer): string[] {
  return decodeWriteRequest(request).series.map(({ labels, samples }) =>
    text(
      labels.filter(([name]) => name !== PASS_ROUTE.taskLabel).map(([name, value]) => ({ name, value })),
      samples.map(({ timestamp, bits }) => [Number(timestamp), doubleOf(bits)]),
    ),
  );
}

async function check(each: Case): Promise<void> {
  const { record, decoders } = await caseRecord(each);
  const read = plainly(record, decoders);
  const { rejects } = read;
  const recordTime = record.timestamp < 0 ? timeIn(read) : record.timestamp;
  assert.deepEqual(
    { series: read.series, exemplars: read.exemplars },
    expected(each, recordTime),
    rejects.join('\n'),
  );
  const patterns = each.rejects ?? [];
  assert.equal(rejects.length, patterns.length, rejects.join('\n'));
  for (const [at, pattern] of patterns.entries()) assert.match(rejects[at]!, pattern);
  const { series } = read;
  if (record.timestamp >= 0) assert.deepEqual(byWorker(record, decoders), { series, rejects });
  assert.equal(byReplay(record, decoders).length, series.length);
  assert.equal(byDeadReader(record, decoders).length, series.length);
}

function timeIn({ series: [first = ''] }: Outcome): number {
  const time = Number(/ @ (\d+)$/.exec(first)?.[1]);
  assert.ok(time > 1_700_000_000_000, `${first}: expected the time of receipt`);
  return time;
}

describe('records that were read wrongly', () => {
  for (const each of CASES) {
    it(`${each.id}/${each.value}`, () => check(each));
  }

  it('every folder is in the table', () => {
    const ids = new Set([...CASES.map(({ id }) => id), 'X1']);
    assert.deepEqual(caseFolders().toSorted(), [...ids].toSorted());
  });
});

it('X1: an environment variable in the configuration is no host name', () => {
  const file = casePath('X1', 'penstock.yml');
  try {
    loadConfig({ file, env: {} });
  } catch (error) {
    assert.match(errorMessage(error), /penstock\.yml:1: kafka\.brokers\[0\]: .*not a host name/);
    return;
  }
  assert.fail('it is taken');
});
