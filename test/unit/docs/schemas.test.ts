/** Holds the examples of docs/guides/schemas.md: a record, a mapping, and the series that come of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { DEFAULT_LIMITS } from '../../../src/core/decode/decoder.ts';
import { mappedJsonDecoder } from '../../../src/core/decode/schema/mapped-json.ts';
import { formatSeries } from '../../../src/core/model/labels.ts';
import { mapping } from '../../../src/services/worker/mapping-options.ts';
import { ROOT } from '../../lab/cache.ts';
import { decodeWriteRequest } from '../../lab/truth/prompb.ts';

const text = readFileSync(path.join(ROOT, 'docs/guides/schemas.md'), 'utf8');
const EXAMPLE = /^ {4}(\{.*\})\n\n((?: {4}.*\n)+)\n▸ `(.*) (\S+)`$/gm;
const examples = [...text.matchAll(EXAMPLE)];

test('there are examples', () => assert.ok(examples.length >= 2));

for (const [, record, yaml, series, value] of examples) {
  test(`${series} ${value}`, () => {
    const { mapping: given } = parse(yaml!) as { mapping: object };
    const decoder = mappedJsonDecoder(mapping.parse(given));
    const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
    const { body, rejects } = decoder.decode(Buffer.from(record!), context);
    assert.deepEqual(rejects, []);
    const [only, ...more] = decodeWriteRequest(body).series;
    assert.deepEqual(more, []);
    assert.equal(formatSeries(only!.labels.map(([name, label]) => ({ name, value: label }))), series);
    const [sample] = only!.samples;
    assert.equal(new Date(Number(sample?.timestamp)).toISOString(), '2026-01-31T12:00:00.000Z');
    const bits = Buffer.alloc(8);
    bits.writeBigUInt64LE(sample!.bits);
    assert.equal(bits.readDoubleLE(), Number(value));
  });
}
