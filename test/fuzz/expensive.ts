import type { Random } from '../lab/random.ts';

/** Small parts of formats. Repeated a million times they are what costs most for its bytes. */
const TOKENS: Readonly<Record<string, readonly string[]>> = {
  json: [
    ...[
      '{}',
      '[]',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '""',
      '"',
      '\\',
      '\\u0000',
      '0',
      '1e999',
      '1e-999',
      '-',
      'null',
    ],
    ...[
      '{},',
      '[],',
      '[[',
      '{"a":',
      '"a":1,',
      '"name":"a",',
      '"value":1,',
      '\n',
      ' ',
      '{}\n',
      '{"name":"a"}\n',
    ],
    ...[
      '{"name":"a","value":1}\n',
      '{"name":"a","value":1},',
      '{"name":"a","value":NaN}\n',
      '123456789012345678901',
    ],
    ...[
      '{"metric":{"__name__":"a"},"values":[1],"timestamps":[1]}\n',
      '{"metric":{},"values":[],"timestamps":[]}\n',
    ],
    ...['{"metric":"a","value":1,"tags":{}},', '{"metric":"a","value":1,"timestamp":1,"tags":{"a":"b"}},'],
    ...['{"gauge":{}},', '{"name":"a"},', '{"dataPoints":[{}]},', '{"asInt":"1"},', '"0",', '{"key":"a"},'],
  ],
  text: [
    ...[
      'a 1\n',
      'a{} 1\n',
      'a{b="c"} 1 1\n',
      'a{',
      '}',
      'b="c",',
      '"',
      '\\',
      '\\n',
      '\n',
      '\r\n',
      ' ',
      '\t',
      '#',
    ],
    ...[
      '# TYPE a counter\n',
      '# HELP a b\n',
      '# EOF\n',
      '# UNIT a s\n',
      ' # {} 1\n',
      'a 1 # {b="c"} 1\n',
      '# {',
    ],
    ...[
      'a,b=c d=1\n',
      'a d=1\n',
      'd=1,',
      'd="',
      ',b=c',
      'd=1i,',
      'd=t,',
      '=',
      ',',
      'a b=1 1\n',
      'a\\ b,c\\,d=e f=1\n',
    ],
    ...['a.b 1 1\n', 'a;b=c 1 1\n', ';b=c', 'a 1 -1\n', 'a nan 1\n', '1e', '0x', '9'.repeat(30), '1e308\n'],
    ...['put a 1 1 b=c\n', 'put a 1 1\n', 'put ', 'a 1 1\n', '\u0000', 'é', '\ufeff', '\u2028', '{"a"} 1\n'],
  ],
};

/** The same of protobuf messages, in hexadecimal: remote write 1.0 and 2.0, OTLP, and what is none of them. */
const BINARY_TOKENS = [
  ...[
    '0a00',
    '0a020a00',
    '1200',
    '1a00',
    '2200',
    '2a00',
    '0a040a020a00',
    '0a0412020a00',
    '0b0c',
    '0b',
    '0c',
    '00',
  ],
  ...[
    '0a060a040a001200',
    '0a0a0a080a0161120162',
    '0a080a060a0161120162',
    '120b09000000000000f03f1001',
    '1209',
    '1002',
  ],
  ...[
    'ffffffffffffffffff01',
    'ff',
    '80',
    '0800',
    '0d00000000',
    '0900000000',
    '2201',
    '220161',
    '2a020a00',
    '2a06',
  ],
  ...[
    '12020800',
    '12080a060a0161120162',
    '0a021200',
    '0a0412021200',
    '12061204120208',
    '5200',
    '4a003200',
    '3200',
  ],
];

/** Starts and ends that make repeated parts a body; most often there is none. */
const FRAMES: readonly (readonly [string, string])[] = [
  ['', ''],
  ['[', ']'],
  ['[', '{}]'],
  ['{"resourceMetrics":[{"scopeMetrics":[{"metrics":[', ']}]}]}'],
  ['{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[', '{}]}}]}]}]}'],
  [
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","histogram":{"dataPoints":[{"bucketCounts":[',
    '0]}]}}]}]}]}',
  ],
  ['{"series":[', '{}]}'],
  ['{"metric":{"__name__":"a"},"values":[', '0],"timestamps":[0]}'],
  ['{"name":"', '","value":1}'],
  ['{"name":"a","value":1,"labels":{', '"z":"z"}}'],
  ['a{', '} 1\n'],
  ['a{b="', '"} 1\n'],
  ['a ', '\n'],
  ['# HELP a ', '\n'],
  ['a,b=', ' c=1\n'],
  ['a ', ' 1\n'],
];

/** A body of some `size` bytes made of a few small parts, again and again. */
export interface Repetition {
  readonly open: Buffer;
  unit: Buffer;
  readonly close: Buffer;
}

export function repetition(random: Random): Repetition {
  if (random.chance(3)) return binaryRepetition(random);
  const tokens = TOKENS[random.pick(['json', 'text'])]!;
  const parts = Array.from({ length: 1 + random.below(4) }, () => random.pick(tokens));
  const [open, close] = random.chance(2) ? FRAMES[0]! : random.pick(FRAMES);
  return { open: Buffer.from(open), unit: Buffer.from(parts.join('')), close: Buffer.from(close) };
}

function binaryRepetition(random: Random): Repetition {
  const parts = Array.from({ length: 1 + random.below(3) }, () => random.pick(BINARY_TOKENS));
  const none = Buffer.alloc(0);
  const unit = Buffer.from(parts.join(''), 'hex');
  return { open: random.chance(4) ? binaryHead(random) : none, unit, close: none };
}

/** What stands in front of lists of small things: messages that begin and do not end, with a length that is true or not. */
function binaryHead(random: Random): Buffer {
  const depth = 1 + random.below(6);
  const bytes: number[] = random.chance(4) ? [0, 0, 0, 0, random.below(5)] : [];
  for (let level = 0; level < depth; level++) {
    bytes.push(random.pick([0x0a, 0x12, 0x2a, 0x32, 0x3a, 0x42, 0x4a, 0x22]));
    let length = 64 + random.size(1_000_000);
    for (; length >= 0x80; length >>>= 7) bytes.push((length & 0x7f) | 0x80);
    bytes.push(length);
  }
  return Buffer.from(bytes);
}

/** The body with the unit as often as `size` has room for, cut to `size`; sometimes without its end. */
export function repeated({ open, unit, close }: Repetition, size: number): Buffer {
  const body = Buffer.alloc(Math.max(size, open.length + close.length));
  if (unit.length > 0) body.fill(unit);
  open.copy(body);
  close.copy(body, body.length - close.length);
  return body;
}
