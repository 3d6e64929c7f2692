import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTime } from '../../../../src/app/commands/option-values.ts';
import { jsonTimeMs } from '../../../../src/core/decode/json/time.ts';
import { timestampMs } from '../../../../src/core/decode/schema/mapped-values.ts';
import { rfc3339Ms } from '../../../../src/core/model/rfc3339.ts';

/** Everywhere that a time is read from text. */
const READERS: Readonly<Record<string, (text: string) => number | undefined>> = {
  rfc3339Ms,
  jsonTimeMs,
  'timestampMs of mapped records': (text) => timestampMs(text, 'rfc3339'),
  'parseTime of the command line': (text) => parseTime(text, 0),
};

const TIMES: Readonly<Record<string, number | undefined>> = {
  '2023-11-14T22:13:20Z': 1_700_000_000_000,
  '2023-11-14t22:13:20z': 1_700_000_000_000,
  '2023-11-14 22:13:20Z': 1_700_000_000_000,
  '2023-11-14T23:43:20+01:30': 1_700_000_000_000,
  '2023-11-14T20:43:20-01:30': 1_700_000_000_000,
  '2023-11-14T22:13:20.1239Z': 1_700_000_000_123,
  '2023-11-14T22:13:20.5Z': 1_700_000_000_500,
  '1969-12-31T23:59:59.9999999999Z': -1,
  '0001-01-01T00:00:00Z': -62_135_596_800_000,
  '2024-02-29T00:00:00Z': 1_709_164_800_000,
  '2000-02-29T00:00:00Z': 951_782_400_000,
  '2023-02-29T00:00:00Z': undefined,
  '1900-02-29T00:00:00Z': undefined,
  '2023-02-30T00:00:00Z': undefined,
  '2023-04-31T00:00:00Z': undefined,
  '2023-13-01T00:00:00Z': undefined,
  '2023-00-01T00:00:00Z': undefined,
  '2023-01-00T00:00:00Z': undefined,
  '2023-01-01T24:00:00Z': undefined,
  '2023-01-01T00:60:00Z': undefined,
  '2016-12-31T23:59:60Z': undefined,
  '2017-01-01T00:59:60+01:00': undefined,
  '2023-01-01T00:00:00+24:00': undefined,
  '2023-01-01T00:00:00+01:60': undefined,
  '2023-01-01T00:00:00': undefined,
  '2023-01-01T00:00:00.Z': undefined,
  '2023-01-01T00:00:00,5Z': undefined,
  '2023-01-01T00:00:00Z\n': undefined,
};

for (const [name, read] of Object.entries(READERS)) {
  test(`${name} reads RFC 3339 strictly`, () => {
    for (const [text, ms] of Object.entries(TIMES)) assert.equal(read(text), ms, text);
  });
}

test('every time that the calendar has is read back, with any offset', () => {
  const latest = Date.UTC(9999, 11, 30);
  fc.assert(
    fc.property(
      fc.integer({ min: Date.UTC(1900, 0, 2), max: latest }),
      fc.integer({ min: -1439, max: 1439 }),
      (ms, offset) => {
        const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1);
        const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
        const zone = `${offset < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
        assert.equal(rfc3339Ms(local + zone), ms);
      },
    ),
  );
});

test('on the command line a day, or a time without seconds, is one as well', () => {
  assert.equal(parseTime('2023-11-14', 0), Date.UTC(2023, 10, 14));
  assert.equal(parseTime('2023-11-14T22:13Z', 0), Date.UTC(2023, 10, 14, 22, 13));
  assert.equal(parseTime('2023-11-14T22:13+01:00', 0), Date.UTC(2023, 10, 14, 21, 13));
  for (const text of ['2023-02-29', '2023-02-29T10:00Z', '2023-11-14T24:00Z', '2023-11-14T22:13', '2023-11'])
    assert.equal(parseTime(text, 0), undefined, text);
});
