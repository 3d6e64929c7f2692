/** A body of about `bytes` bytes that is meant to cost as much as it can, and the headers that it comes with. */
export interface CostSeed {
  readonly name: string;
  /** Decoder that reads it. */
  readonly encoding: string;
  readonly body: (bytes: number) => Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const EXTRA_LABELS = { 'penstock-query': `extra_label=x=${'y'.repeat(7000)}` };

/** Text that costs most where a decoder is careless: what is quadratic, allocates a part each, or grows on the way. */
export const TEXT_COST_SEEDS: readonly CostSeed[] = [
  ...['prometheus_text', 'influx', 'graphite', 'opentsdb'].flatMap((encoding): CostSeed[] => [
    repeated(encoding, 'empty lines', '\n'),
    repeated(encoding, 'empty lines of Windows', '\r\n'),
    repeated(encoding, 'blank lines', ' \n'),
    repeated(encoding, 'lines of a byte', 'x\n'),
    repeated(encoding, 'comments', '#\n'),
    repeated(encoding, 'byte order marks', '\ufeff'),
    repeated(encoding, 'lines of a byte order mark', '\ufeff\n'),
    repeated(encoding, 'one line of a letter', 'a'),
    repeated(encoding, 'one line of blanks', ' '),
    repeated(encoding, 'one line of backslashes', '\\'),
    repeated(encoding, 'one line of quotes', '"'),
    repeated(encoding, 'bytes that are not UTF-8', Buffer.from([0xe9])),
  ]),
  numbered('prometheus_text', 'TYPE of many families', (n) => `# TYPE a${n} gauge\n`),
  numbered('prometheus_text', 'HELP of many families', (n) => `# HELP a${n} \\n\n`),
  repeated('prometheus_text', 'HELP of one family', '# HELP a b\\\\c\n'),
  repeated('prometheus_text', 'smallest samples', 'a 1\n'),
  repeated('prometheus_text', 'a label a sample', 'a{b="c"} 1\n'),
  repeated('prometheus_text', 'exemplars of many samples', 'a 1 # {} 1\n'),
  framed('prometheus_text', 'many exemplars of a sample', 'a 1 ', '# {a="b"} 1 ', ''),
  framed('prometheus_text', 'hashes behind a sample', 'a 1 ', '# {', ''),
  framed('prometheus_text', 'many labels', 'a{', 'b="c",', '} 1\n'),
  framed('prometheus_text', 'many names in quotes', '{', '"",', '} 1\n'),
  framed('prometheus_text', 'an escaped value', 'a{b="', '\\n', '"} 1\n'),
  framed('prometheus_text', 'braces', 'a', '{', ' 1\n'),
  framed('prometheus_text', 'digits', 'a ', '1', '\n'),
  framed('prometheus_text', 'digits of a fraction', 'a 1.', '0', '1e5\n'),
  framed('prometheus_text', 'digits of an exponent', 'a 1e', '9', '\n'),
  framed('prometheus_text', 'digits of a time', 'a 1 ', '1', '\n'),
  { ...repeated('prometheus_text', 'a large label for each sample', 'a 1\n'), headers: EXTRA_LABELS },
  repeated('influx', 'smallest samples', 'a b=1\n'),
  framed('influx', 'many fields', 'a ', 'b=1,', 'b=1\n'),
  framed('influx', 'many tags', 'a', ',b=c', ' d=1\n'),
  repeated(
    'influx',
    'lines of many fields and tags',
    `a,${'b=cdefghij,'.repeat(30)}k=l ${'m=1,'.repeat(90)}n=1\n`,
  ),
  framed('influx', 'many quotes in a field', 'a b="', '" "', '"\n'),
  framed('influx', 'an escaped tag', 'a,b=', '\\,', ' c=1\n'),
  framed('influx', 'digits', 'a b=1 1', '0', '\n'),
  framed('influx', 'digits of a whole number', 'a b=', '1', 'i\n'),
  { ...repeated('influx', 'a large label for each sample', 'a b=1\n'), headers: EXTRA_LABELS },
  repeated('graphite', 'smallest samples', 'a 1\n'),
  framed('graphite', 'many tags', 'a', ';b=c', ' 1\n'),
  framed('graphite', 'many words', 'a', ' b', ' 1 1\n'),
  framed('graphite', 'dots', 'a', '.', ' 1\n'),
  framed('graphite', 'semicolons', 'a', ';', ' 1\n'),
  repeated('opentsdb', 'smallest samples', 'put a 1 1\n'),
  framed('opentsdb', 'many tags', 'put a 1 1', ' b=c', '\n'),
  framed('opentsdb', 'blanks', 'put a 1 1', ' ', 'b=c\n'),
];

function repeated(encoding: string, name: string, part: string | Buffer): CostSeed {
  return { name, encoding, body: (bytes) => Buffer.alloc(bytes, part) };
}

function framed(encoding: string, name: string, open: string, part: string, close: string): CostSeed {
  return {
    name,
    encoding,
    body: (bytes) => {
      const size = bytes - open.length - close.length;
      return Buffer.concat([
        Buffer.from(open),
        Buffer.alloc(size - (size % part.length), part),
        Buffer.from(close),
      ]);
    },
  };
}

function numbered(encoding: string, name: string, line: (n: number) => string): CostSeed {
  return {
    name,
    encoding,
    body: (bytes) => {
      const lines: string[] = [];
      for (let n = 0, size = 0; size < bytes; n++) {
        const next = line(n);
        lines.push(next);
        size += next.length;
      }
      return Buffer.from(lines.join(''));
    },
  };
}
