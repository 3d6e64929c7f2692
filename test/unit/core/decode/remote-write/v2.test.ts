import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { remoteWriteV2 } from '../../../../../src/core/decode/remote-write/v2.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { uncompress } from '../../../../../src/core/wire/snappy.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
const field = (tag: number, content: Buffer) => {
  assert.ok(content.length < 0x4000);
  const size =
    content.length < 0x80 ? [content.length] : [(content.length & 0x7f) | 0x80, content.length >> 7];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const symbols = (...texts: string[]) => Buffer.concat(texts.map((text) => field(0x22, Buffer.from(text))));
const series = (references: number[], ...rest: Buffer[]) =>
  field(0x2a, Buffer.concat([field(0x0a, Buffer.from(references)), ...rest]));
/** The stale marker at 1700000000000. */
const STALE = Buffer.from('1210090200000000 00f07f1080d095ffbc31'.replaceAll(' ', ''), 'hex');
const TABLE = symbols('', '__name__', 'up', 'job', 'x');

function decode(...parts: Buffer[]) {
  const { body, rejects, uncarried } = remoteWriteV2.decode(Buffer.concat(parts), context);
  return { series: decodeWriteRequest(body).series, rejects, uncarried };
}

test('labels are resolved, and a stale marker keeps its bits', () => {
  const [only] = decode(TABLE, series([1, 2, 3, 4], STALE)).series;
  assert.deepEqual(only?.labels, [
    ['__name__', 'up'],
    ['job', 'x'],
  ]);
  assert.deepEqual(only?.samples, [{ timestamp: '1700000000000', bits: 0x7ff0000000000002n }]);
});

const BAD: Readonly<Record<string, [Buffer, string]>> = {
  'an odd number of references': [series([1, 2, 3], STALE), 'label_references'],
  'a reference outside the table': [series([1, 9], STALE), 'symbol_reference'],
  'a sample of the wrong type': [series([1, 2], Buffer.from('12020801', 'hex')), 'protobuf'],
  'metadata outside the table': [
    series([1, 2], STALE, field(0x2a, Buffer.from([0x18, 9]))),
    'symbol_reference',
  ],
};

for (const [what, [bad, reason]] of Object.entries(BAD)) {
  test(`${what}: set aside alone, with the symbols, and mendable`, () => {
    const good = series([1, 2], STALE);
    const { series: kept, rejects } = decode(TABLE, good, bad, bad, good);
    assert.equal(kept.length, 2);
    assert.deepEqual(
      rejects.map((reject) => reject.reason),
      [reason],
    );
    assert.match(rejects[0]!.message, /the first of 2 series/);
    // Its own bytes are read by the decoder that its content type names, with the same result.
    assert.deepEqual(uncompress(rejects[0]!.value, 10_000), Buffer.concat([TABLE, bad, bad]));
    const headers = { 'content-type': rejects[0]!.contentType };
    const again = new DecoderRegistry().decode(rejects[0]!.value, { ...context, headers });
    const without = (all: typeof rejects) => all.map(({ reason: why, value }) => ({ why, value }));
    assert.deepEqual(without(again.rejects), without(rejects));
  });
}

test('an exemplar that cannot be resolved is set aside, the series goes on', () => {
  const bad = field(0x22, field(0x0a, Buffer.from([1])));
  const { series: kept, rejects } = decode(TABLE, series([1, 2], bad, STALE));
  assert.equal(kept[0]?.samples.length, 1);
  assert.equal(kept[0]?.exemplars.length, 0);
  assert.deepEqual(uncompress(rejects[0]!.value, 10_000), Buffer.concat([TABLE, series([1, 2], bad)]));
});

test('a 1.0 request that was declared as 2.0 is set aside as what it is', () => {
  const v1 = field(0x0a, Buffer.concat([field(0x0a, Buffer.from('0a0161120162', 'hex')), STALE]));
  const { series: kept, rejects } = decode(v1);
  assert.equal(kept.length, 0);
  const headers = { 'content-type': rejects[0]!.contentType };
  assert.deepEqual(new DecoderRegistry().decode(rejects[0]!.value, { ...context, headers }).body, v1);
});

test('what 1.0 has no place for is counted', () => {
  const metadata = field(0x2a, Buffer.from([0x08, 1]));
  const started = field(0x12, Buffer.from('1080d095ffbc311801', 'hex'));
  const { uncarried } = decode(TABLE, series([1, 2], STALE, started, metadata, Buffer.from([0x30, 7])));
  assert.deepEqual(uncarried, { start_timestamp: 2, metadata: 1 });
});

test('a table of few long symbols does not become a body without bounds', () => {
  const long = symbols('', 'n', 'v'.repeat(16_000));
  const many = Array.from({ length: 3000 }, () => series([1, 2]));
  assert.throws(
    () => remoteWriteV2.decode(Buffer.concat([long, ...many]), context),
    (error) => error instanceof PoisonError && error.reason === 'record_too_large',
  );
});
