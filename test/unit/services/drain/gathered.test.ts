import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError } from '../../../../src/core/model/errors.ts';
import { compress, uncompress } from '../../../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../../../src/core/wire/write-request-builder.ts';
import type { Refused } from '../../../../src/io/remote-write/deliver.ts';
import { gathered } from '../../../../src/services/drain/gathered.ts';
import { decodeWriteRequest } from '../../../lab/truth/prompb.ts';

function refused(name: string, reason = 'http_400', padding = 0): Refused {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  builder.label('__name__', name);
  if (padding > 0) builder.label('padding', 'p'.repeat(padding));
  builder.sample(1, 1_760_000_000_000);
  builder.endSeries();
  return { body: compress(builder.finish()), error: new PoisonError('deliver', reason, `no ${name}`) };
}

function namesIn({ body }: Refused): string[] {
  const { series } = decodeWriteRequest(uncompress(body, 1 << 24));
  return series.map(({ labels }) => Object.fromEntries(labels)['__name__']!);
}

test('series that are refused for one reason share a letter, each once', () => {
  const names = Array.from({ length: 3_000 }, (_, index) => `s${index}`);
  const letters = gathered([...names.map((name) => refused(name)), refused('other', 'http_413')]);
  assert.deepEqual(letters.map(namesIn), [names, ['other']]);
  assert.deepEqual(
    letters.map(({ error }) => [error.reason, error.message]),
    [
      ['http_400', 'no s0'],
      ['http_413', 'no other'],
    ],
  );
});

test('a letter is closed before it is large, and a large series stays alone', () => {
  const all = Array.from({ length: 40 }, (_, index) => refused(`s${index}`, 'http_400', 20_000));
  const letters = gathered([...all, refused('large', 'http_400', 300_000)]);
  assert.ok(letters.length > 3 && letters.length < 8, `${letters.length} letters`);
  const names = letters.flatMap(namesIn);
  assert.deepEqual(new Set(names), new Set([...all.flatMap(namesIn), 'large']));
  assert.equal(names.length, 41);
  for (const { body } of letters) assert.ok(uncompress(body, 1 << 24).length < 310_000);
});

test('what cannot be taken apart stays as it is', () => {
  const error = new PoisonError('deliver', 'null_value', 'no body');
  const broken = { body: Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), error };
  const empty = { body: Buffer.alloc(0), error };
  assert.deepEqual(gathered([broken, empty]), [broken, empty]);
});
