import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flags } from './flags.ts';
import { runGraphiteCase } from './graphite.ts';
import { runInfluxCase } from './influx.ts';
import { runOpentsdbCase } from './opentsdb.ts';
import { runOtlpCase } from './otlp.ts';
import { runPrometheusTextCase } from './prometheus-text.ts';
import { runRemoteWriteV1Case } from './remote-write.ts';
import { runRemoteWriteV2Case } from './remote-write-v2.ts';
import { runVmimportCase } from './vmimport.ts';

const series = (labels: Record<string, string>, ms: number) => ({
  expected: { series: [{ labels, samples: [[ms, '1']] }] },
});

test('every flag that says what a body becomes is passed on', () => {
  const influx = (flags: Record<string, string>, name: string, more: Record<string, string>, ms: number) =>
    runInfluxCase({
      payload_utf8: 'm v=1 1700000000123',
      options: { flags, query: { db: ['stats'], precision: ['ms'] } },
      ...series({ __name__: name, ...more }, ms),
    });
  const db = { db: 'stats' };
  assert.equal(influx({}, 'm_v', db, 1_700_000_000_123), undefined);
  assert.equal(
    influx({ influxDBLabel: 'database' }, 'm_v', { database: 'stats' }, 1_700_000_000_123),
    undefined,
  );
  assert.equal(influx({ influxTrimTimestamp: '1m0s' }, 'm_v', db, 1_699_999_980_000), undefined);
  assert.equal(influx({ influxMeasurementFieldSeparator: ':' }, 'm:v', db, 1_700_000_000_123), undefined);
  assert.equal(influx({ influxSkipMeasurement: 'true' }, 'v', db, 1_700_000_000_123), undefined);
  assert.equal(influx({ influxSkipSingleField: 'true' }, 'm', db, 1_700_000_000_123), undefined);

  const opentsdb = (format: string, payload_utf8: string, flags: Record<string, string>, ms: number) =>
    runOpentsdbCase({ format, payload_utf8, options: { flags }, ...series({ __name__: 'm', a: 'b' }, ms) });
  const json = '{"metric":"m","timestamp":1700000000123,"value":1,"tags":{"a":"b"}}';
  const line = 'put m 1700000000123 1 a=b';
  assert.equal(opentsdb('opentsdbhttp', json, {}, 1_700_000_000_123), undefined);
  for (const flag of ['opentsdbhttpTrimTimestamp', 'opentsdbHTTPTrimTimestamp'])
    assert.equal(opentsdb('opentsdbhttp', json, { [flag]: '1m0s' }, 1_699_999_980_000), undefined);
  assert.equal(opentsdb('opentsdb', line, { opentsdbTrimTimestamp: '1m0s' }, 1_699_999_980_000), undefined);
});

test('a limit on the size of a request is passed on', () => {
  const influx = (size: string) =>
    runInfluxCase({
      payload_utf8: 'm v=1 1700000000000',
      options: { flags: { 'influx.maxRequestSize': size } },
      expected: { error: 'too large' },
    });
  assert.equal(influx('18'), undefined);
  assert.match(influx('1KB')!, /accepted/);
});

test('a flag that a runner does not know fails the case', () => {
  const runners = [
    runGraphiteCase,
    runInfluxCase,
    runOpentsdbCase,
    runOtlpCase,
    runPrometheusTextCase,
    runRemoteWriteV1Case,
    runRemoteWriteV2Case,
    runVmimportCase,
  ];
  for (const run of runners) {
    const testCase = {
      payload_utf8: '',
      payload_base64: '',
      options: { flags: { newFlag: '1' } },
      expected: { series: [] },
    };
    assert.throws(() => run(testCase), /does not know the flags newFlag/, run.name);
  }
});

test('flags are read as Go reads them', () => {
  const flags = new Flags({ a: '1h2m3.5s', b: '500ms', c: 'T', d: '0', e: '2KiB', f: '1.5', g: 'maybe' });
  assert.equal(flags.durationMs('a'), 3_723_500);
  assert.equal(flags.durationMs('b'), 500);
  assert.equal(flags.bool('c'), true);
  assert.equal(flags.bool('d'), false);
  assert.equal(flags.durationMs('d'), 0);
  assert.equal(flags.bytes('e'), 2048);
  assert.equal(flags.text('none'), undefined);
  assert.throws(() => flags.durationMs('f'), /no duration/);
  assert.throws(() => flags.bool('g'), /neither true nor false/);
});
