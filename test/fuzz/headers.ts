import { DECODERS } from '../../src/core/decode/registry.ts';
import type { RecordHeaders } from '../../src/core/record/headers.ts';
import type { Random } from '../lab/random.ts';
import { METHOD_NAMES } from './compression.ts';

const TYPES = [
  ...DECODERS.flatMap(({ contentTypes, protos = [''] }) =>
    contentTypes.flatMap((type) => protos.map((proto) => (proto === '' ? type : `${type};proto=${proto}`))),
  ),
  ...['application/json', 'application/x-ndjson', 'text/plain', 'text/plain; version=0.0.4; charset=utf-8'],
  ...[
    'application/x-protobuf',
    'APPLICATION/JSON;charset=latin1',
    'image/png',
    ';',
    ';;=;',
    '*/*',
    ' ',
    '\u0000',
  ],
];

const ENCODINGS = [
  ...METHOD_NAMES,
  'GZIP',
  ' zstd ',
  'br',
  'gzip, snappy',
  'x-gzip',
  'compress',
  '*',
  'null',
  '0',
];

/** Names that a plain object already has, that mean something, or that mean nothing. */
const NAMES = [
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'valueOf',
    '__defineGetter__',
    'prototype',
    'length',
  ],
  ...[
    'content-type',
    'Content-Type',
    'CONTENT-ENCODING',
    'content-encoding',
    'stream-mode',
    'penstock-timestamp',
  ],
  ...[
    'penstock-query',
    'penstock-path',
    'penstock-source',
    'penstock-part',
    'penstock-stage',
    'penstock-redriven',
  ],
  ...[
    'penstock-first-seen',
    'X-Scope-OrgID',
    'x-scope-orgid',
    'AccountID',
    'x-victoriametrics-remote-write-version',
  ],
  ...['', ' ', '\u0000', 'é', '0', '-1', 'a'.repeat(10_000), '\ud800'],
];

const TEXTS = [
  ...[
    '',
    ' ',
    '1',
    '0',
    '-1',
    '1700000000000',
    '99999999999999999999',
    'NaN',
    '1e999',
    'null',
    '\u0000',
    'é',
    '%',
  ],
  ...[
    'precision=ms',
    'precision=h&db=x',
    'extra_label=a=b',
    'extra_label=a',
    'extra_label==',
    'timestamp=1',
    '%zz=%',
  ],
  ...[
    '/metrics/job/a',
    '/metrics/job/a/b',
    '/metrics/job@base64/YQ/a@base64/!',
    '/metrics/job/',
    'raw/0/1-2',
    '1/2',
  ],
];

/** Parts that are repeated to a header that is large. */
const PARTS = ['a', ';', ';a=b', '9', '%', '&extra_label=a=b', '/a/b', '/', ' ', '\u0000', '=', '"', ',gzip'];

function headerValue(random: Random, texts: readonly string[]): Buffer | null {
  if (random.chance(12)) return null;
  if (random.chance(25)) return random.bytes(random.size(300));
  if (random.chance(200)) return Buffer.alloc(random.size(500_000), random.pick(PARTS));
  return Buffer.from(random.pick(texts));
}

/** Headers of a record whose value is compressed by `method`: mostly right or none, often wrong. */
export function randomHeaders(random: Random, method: string, type: string): RecordHeaders {
  const headers: Record<string, Buffer | null> = Object.create(null);
  if (random.chance(3)) return headers;
  if (!random.chance(4)) headers['content-encoding'] = Buffer.from(method);
  else if (random.chance(4)) headers['content-encoding'] = headerValue(random, ENCODINGS);
  if (type !== '' && !random.chance(3)) headers['content-type'] = Buffer.from(type);
  else if (random.chance(6)) headers['content-type'] = headerValue(random, TYPES);
  const more = random.chance(500) ? random.size(20_000) : random.below(4);
  for (let i = 0; i < more; i++) {
    const name = more > 10 ? `h${i}` : random.pick(NAMES);
    headers[name] = headerValue(
      random,
      /type/i.test(name) ? TYPES : /encoding/i.test(name) ? ENCODINGS : TEXTS,
    );
  }
  return headers;
}

/** Times that Kafka can carry, as the reader of batches gives them. */
export function randomTimestamp(random: Random): number {
  if (!random.chance(10)) return 1_700_000_000_000 + random.below(1_000_000);
  return random.pick([
    -1,
    0,
    1,
    -(2 ** 63),
    2 ** 63,
    8.64e15,
    8.64e15 + 1,
    2 ** 53,
    1e12,
    -62_135_596_800_000,
  ]);
}
