import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS, type IngestLimits } from '../../../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import type { SourceRecord } from '../../../../src/core/model/records.ts';
import { Pipeline } from '../../../../src/core/pipeline/pipeline.ts';
import { RecordReading } from '../../../../src/core/pipeline/read-record.ts';
import { compress, uncompress } from '../../../../src/core/wire/snappy.ts';
import { fuzzInput } from '../../../fuzz/mutations.ts';
import { FUZZ_TARGETS } from '../../../fuzz/targets.ts';
import { decodeWriteRequest, doubleOf } from '../../../lab/truth/prompb.ts';
import { PASS_ROUTE } from '../../../support/pass-route.ts';
import { seriesRecord } from '../../../support/records.ts';

const TENANTS = ['AccountID'];
const NOW = 1_700_000_000_000;

interface Outcome {
  readonly series: readonly string[];
  readonly rejects: readonly string[];
}

function recordOf(value: Buffer): SourceRecord {
  return { value, headers: {}, timestamp: NOW, topic: 'raw', partition: 0, offset: 0n };
}

function sorted(labels: readonly (readonly [string, string])[]): string {
  return JSON.stringify(labels.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function readPlainly(record: SourceRecord, reading: RecordReading): Outcome {
  const series: string[] = [];
  const rejects: string[] = [];
  reading.read(record, {
    series: ({ labels, samples }) => {
      const values = [...samples].map(({ timestamp, value }) => [String(timestamp), String(value)]);
      series.push(`${sorted(labels.map(({ name, value }) => [name, value]))} ${JSON.stringify(values)}`);
    },
    reject: (reason) => rejects.push(reason),
  });
  return { series, rejects: rejects.toSorted() };
}

/** Both ways to read, with the same limits. */
class Readers {
  readonly #reading: RecordReading;
  readonly #made: Pipeline;

  constructor(limits: IngestLimits) {
    const registry = () => new DecoderRegistry('auto', createDecoders());
    this.#reading = new RecordReading(registry(), limits, NOW, TENANTS);
    const decoders = registry();
    this.#made = new Pipeline({
      routes: [PASS_ROUTE],
      cacheBytes: 64 * 1024,
      slabBytes: 16 * 1024,
      hashSeed: 1,
      maxRecordBytes: () => 100_000_000,
      decoders: () => decoders,
      tenantHeaders: TENANTS,
      limits,
      now: () => NOW,
    });
  }

  /** What both make of it. */
  same(value: Buffer, headers: SourceRecord['headers'] = {}): Outcome {
    const record = { ...recordOf(value), headers };
    const read = readPlainly(record, this.#reading);
    assert.deepEqual(read, this.#pipeline(record));
    return read;
  }

  #pipeline(record: SourceRecord): Outcome {
    const step = this.#made.begin('raw');
    step.process(record);
    const { records, dead } = step.finish();
    const request = Buffer.concat(records.map(({ value }) => uncompress(value, 100_000_000)));
    return {
      series: decodeWriteRequest(request).series.map(({ labels, samples }) => {
        const values = samples.map(({ timestamp, bits }) => [timestamp, String(doubleOf(bits))]);
        return `${sorted(labels.filter(([name]) => name !== PASS_ROUTE.taskLabel))} ${JSON.stringify(values)}`;
      }),
      rejects: dead
        .flatMap(({ reason, series }) => Array<string>(Math.max(1, series)).fill(reason))
        .toSorted(),
    };
  }
}

const seeds = FUZZ_TARGETS.flatMap((target) => target.seeds());

describe('RecordReading', () => {
  const limits = { ...DEFAULT_LIMITS, labels_per_series: 5, label_value_bytes: 20, max_age: 3_600_000 };

  it('reads each valid record as the pipeline does', () => {
    const [usual, strict] = [new Readers(DEFAULT_LIMITS), new Readers(limits)];
    for (const seed of seeds) {
      usual.same(seed);
      strict.same(seed);
    }
  });

  it('reads what is broken as the pipeline does', () => {
    let series = 0;
    let rejects = 0;
    const readers = new Readers(limits);
    const property = fc.property(fuzzInput(seeds), (value) => {
      const read = readers.same(value);
      series += read.series.length;
      rejects += read.rejects.length;
    });
    fc.assert(property, { numRuns: 1500, seed: 20261130 });
    assert.ok(series > 200 && rejects > 200, `${series} series, ${rejects} rejects`);
  });

  it('refuses a tenant, and too many faults, as the pipeline does', () => {
    const readers = new Readers({ ...DEFAULT_LIMITS, faults_per_record: 2, labels_per_series: 1 });
    const lines = (bad: number) => Buffer.from(`a 1\n${'b{c="d"} 1\n'.repeat(bad)}e 1\n`);
    assert.deepEqual(readers.same(lines(2)).rejects, ['too_many_labels', 'too_many_labels']);
    assert.deepEqual(readers.same(lines(3)).rejects.length, 4);
    assert.deepEqual(readers.same(lines(1), { AccountID: 'a\nb' }), { series: [], rejects: ['tenant'] });
  });

  it('says what is not carried on', () => {
    const record = recordOf(Buffer.from('# TYPE a counter\na 1 # {id="1"} 1\n'));
    const reading = new RecordReading(new DecoderRegistry('prometheus_text'), DEFAULT_LIMITS, NOW);
    const left = reading.read(record, { series: () => {}, reject: () => {} });
    assert.ok(Object.values(left.uncarried).reduce((sum, count) => sum + count, left.metadata) > 0);
  });
});

test('a record that has had its time is read no further, and what is done with its series is no part of it', () => {
  const names = Array.from({ length: 200_000 }, (_, index) => `series_${index}`);
  const record = seriesRecord(0, names);
  const read = (record_time: number, spendMs: number) => {
    const found = { series: 0, reasons: [] as string[] };
    const limits = { ...DEFAULT_LIMITS, record_time };
    new RecordReading(new DecoderRegistry('auto'), limits, 0).read(record, {
      series: () => {
        if (found.series++ > 0 || spendMs === 0) return;
        for (
          const end = process.threadCpuUsage().user + spendMs * 1000;
          process.threadCpuUsage().user < end;
        );
      },
      reject: (reason) => found.reasons.push(reason),
    });
    return found;
  };
  const cut = read(5, 0);
  assert.deepEqual(cut.reasons, ['too_slow']);
  assert.ok(cut.series < names.length, `${cut.series} series`);
  const patient = read(2_000, 2_500);
  assert.deepEqual([patient.series, patient.reasons], [names.length, []]);
});

describe('a record that is sound and has nothing in it', () => {
  const bodies: Record<string, [Buffer, string]> = {
    'snappy of nothing': [Buffer.from([0]), 'remote_write_v1'],
    'zstd that is one skippable frame': [
      Buffer.from('502a4d1800000000', 'hex'),
      'victoriametrics_remote_write',
    ],
    'remote write 2.0 of symbols alone': [Buffer.from([0x22, 0, 0x22, 1, 0x61]), 'remote_write_v2'],
    'OTLP of a resource alone': [Buffer.from([0x0a, 0]), 'otlp'],
    'comments alone': [Buffer.from('# a\n# b\n'), 'prometheus_text'],
  };
  for (const [what, [body, encoding]] of Object.entries(bodies)) {
    it(`${what}: is counted`, () => {
      const reading = new RecordReading(new DecoderRegistry(encoding), DEFAULT_LIMITS, NOW);
      const value = encoding === 'remote_write_v2' ? compress(body) : body;
      const fail = () => assert.fail('nothing was to be found');
      const { uncarried } = reading.read(recordOf(value), { series: fail, reject: fail });
      assert.deepEqual(uncarried, { empty_record: 1 });
    });
  }
});
