import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { Fleet } from '../../../../src/core/generate/fleet.ts';
import { encodeScrape, RECORD_HEADERS } from '../../../../src/core/generate/scrape-record.ts';
import { INGEST_ENCODINGS } from '../../../../src/services/worker/encoding-options.ts';

test('a record is read as remote write, whatever the encoding of the topic', () => {
  const fleet = new Fleet({ series: 100, seed: 1, intervalMs: 1000, startMs: 1_760_000_000_000 });
  const [record] = encodeScrape(fleet.next(), 10);
  for (const encoding of INGEST_ENCODINGS) {
    const registry = new DecoderRegistry(encoding, createDecoders());
    const context = { headers: RECORD_HEADERS, limits: DEFAULT_LIMITS };
    assert.equal(registry.encodingOf(record!.value, context), 'remote_write_v1', encoding);
  }
});
