import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecodeOptions } from '../../../../../src/core/decode/decode-options.ts';
import { DEFAULT_LIMITS, type Decoded } from '../../../../../src/core/decode/decoder.ts';
import { RecordBudget } from '../../../../../src/core/decode/record-budget.ts';
import { createDecoders, DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { PoisonError } from '../../../../../src/core/model/errors.ts';
import { TEXT_COST_SEEDS } from '../../../../fuzz/cost-seeds-text.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

const TIME = 1_600_000_000_789;

/** Decodes in one encoding, or as the bytes say. */
function decode(encoding: string, body: string | Buffer, options: DecodeOptions = {}): Decoded {
  const registry = new DecoderRegistry(encoding, createDecoders(options));
  const context = { headers: {}, timestamp: TIME, limits: DEFAULT_LIMITS };
  return registry.decode(Buffer.from(body as string), context);
}

/** `name{label="value"} value @ms` of each series. */
function seriesOf({ body }: Decoded): string[] {
  return decodeWriteRequest(body).series.map(({ labels, samples }) => {
    const name = labels.find(([label]) => label === '__name__')?.[1] ?? '';
    const rest = labels
      .filter(([label]) => label !== '__name__')
      .map(([label, value]) => `${label}="${value}"`);
    const { bits, timestamp } = samples[0]!;
    const value = toDouble(bits);
    return `${name}${rest.length > 0 ? `{${rest.join(',')}}` : ''} ${value} @${timestamp}`;
  });
}

function toDouble(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

const MADE_UP: readonly [encoding: string, text: string, series: readonly string[]][] = [
  ['prometheus_text', 'up 1 {a="b"} 2\nup{a="b"} 3\n', [`up{a="b"} 3 @${TIME}`]],
  ['prometheus_text', 'up down{} 1\nup {a="b"} 3\n', [`up{a="b"} 3 @${TIME}`]],
  // The rest of a text with a line break, and a tag value in quotes, which Influx does not have.
  ['influx', 'log msg="first\nsecond 1",v=1 1\n', []],
  ['auto', 'cpu,host=a v=1 1700000000\ncpu,host="a b" v=1 1\n', ['cpu_v{host="a"} 1 @1700000000000']],
  ['auto', 'cpu,host="a b" v=1 1\ncpu,host=a v=2 1700000000\n', ['cpu_v{host="a"} 2 @1700000000000']],
  ['auto', '127.0.0.1 - - [10/Oct/2000] "GET / HTTP/1.0" 200 2326\n', []],
  ['auto', '2026-01-31 12:00:00 took 15 ms 200 17\n', []],
  ['auto', 'name: a\nvalue: 1\n', []],
  ['prometheus_text', 'value: 1\n', [`value: 1 @${TIME}`]],
  ['auto', 'level=info duration=15\n', []],
  ['auto', 'level=info duration=15 1700000000\nts=1 v=1\n', []],
  ['auto', 'a\\=b v=1 1\n', ['a=b_v 1 @1000']],
  ['influx', 'level=info duration=15 1\n', ['level=info_duration 15 @1000']],
  ['graphite', 'my disk.free 1 1700000000\n', ['my disk.free 1 @1700000000000']],
];
for (const [encoding, text, series] of MADE_UP) {
  test(`${encoding} makes up no series: ${JSON.stringify(text)}`, () => {
    const decoded = decode(encoding, text);
    assert.deepEqual(seriesOf(decoded), series);
    const lines = text.trimEnd().split('\n').length;
    assert.equal(decoded.rejects.length, lines - series.length);
  });
}

test('messages tell bytes that are not UTF-8, and cut no character', () => {
  const [bytes] = decode('prometheus_text', Buffer.from('caf\xe9{ 1\n', 'latin1')).rejects;
  assert.match(bytes!.message, /: "caf\\udce9\{ 1"$/);
  const [long] = decode('prometheus_text', `${'é'.repeat(99)}`).rejects;
  assert.match(long!.message, /: "é{60}…"$/);
  const [odd] = decode('prometheus_text', `a${'é'.repeat(99)}`).rejects;
  assert.match(odd!.message, /: "aé{59}…"$/);
});

interface Exposition {
  readonly text: string;
  readonly series: readonly string[];
  readonly exemplars?: number;
  readonly rejects?: number;
}

const OPEN_METRICS: Readonly<Record<string, Exposition>> = {
  'C1: an exemplar behind value and time': {
    text: '# TYPE foo counter\nfoo_total 17.0 1520879607.789 # {trace_id="KOO5"} 0.67\n# EOF\n',
    series: ['foo_total 17 @1520879607789'],
    exemplars: 1,
  },
  'C2: an exemplar without labels': {
    text: 'foo_total 8 # {} 0.054\n',
    series: [`foo_total 8 @${TIME}`],
    exemplars: 1,
  },
  'an exemplar with a time': {
    text: 'foo_total 17.0 1520879607.789 # {id="counter-test"} 5 1520879607.7',
    series: ['foo_total 17 @1520879607789'],
    exemplars: 1,
  },
  'tabs, and no spaces': {
    text: 'foo_total\t8\t#\t{a="b"}\t1\nbar_total 8 #{a="b"} 1',
    series: [`foo_total 8 @${TIME}`, `bar_total 8 @${TIME}`],
    exemplars: 2,
  },
  'an exemplar behind labels that are empty, or end in a comma': {
    text: 'a{} 1 # {t="x"} 1\nb{l="v",} 2 # {t="x"} 1\nc { } 3 1520879607.5 # {t="x"} 1\n{"d.e"} 4 # {t="x"} 1\n{"f",} 5 # {t="x"} 1',
    series: [`a 1 @${TIME}`, `b{l="v"} 2 @${TIME}`, 'c 3 @1520879607500', `d.e 4 @${TIME}`, `f 5 @${TIME}`],
    exemplars: 5,
  },
  'braces, hashes and quotes in the values of labels and exemplars': {
    text: 'a{l="# {x=\\"y\\"} 2"} 1 # {t="} # {u=\\"v\\"} 3"} 1\nb 1 # {t="{"} 1',
    series: [`a{l="# {x="y"} 2"} 1 @${TIME}`, `b 1 @${TIME}`],
    exemplars: 2,
  },
  'two exemplars, as in OpenMetrics 2.0': {
    text: 'a_total 1 # {t="x"} 1 1520879607.5 # {t="y"} 2 1520879608.5',
    series: [`a_total 1 @${TIME}`],
    exemplars: 2,
  },
  'a comment is no exemplar': {
    text: 'a 1 # {\nb 1 # see {"x"}\nc 1#\nd 1 # EOF',
    series: ['a', 'b', 'c', 'd'].map((name) => `${name} 1 @${TIME}`),
    exemplars: 1,
  },
  'what stands behind # EOF is read too': {
    text: 'a 1\n# EOF\nb 2\n# EOF\n',
    series: [`a 1 @${TIME}`, `b 2 @${TIME}`],
  },
  'a value that is missing, with an exemplar': {
    text: 'a # {t="x"} 1\nb{} # {t="x"} 1\nc x # {t="x"} 1',
    series: [],
    rejects: 3,
  },
  'native histograms of OpenMetrics 2.0 are set aside': {
    text: 'a {count:12,sum:1.5,schema:0,positive_spans:[0:1]} # {t="x"} 1\nb_bucket{le="+Inf"} 3 # {t="y"} 1',
    series: [`b_bucket{le="+Inf"} 3 @${TIME}`],
    exemplars: 1,
    rejects: 1,
  },
  'all kinds of families': {
    text: '# TYPE a info\n# UNIT a \na_info{v="1"} 1\n# TYPE b stateset\nb{b="x"} 0\n# TYPE c gaugehistogram\nc_gsum 1\nd_created 1520430000.123',
    series: [
      `a_info{v="1"} 1 @${TIME}`,
      `b{b="x"} 0 @${TIME}`,
      `c_gsum 1 @${TIME}`,
      `d_created 1520430000.123 @${TIME}`,
    ],
  },
  'values and what is none': {
    text: 'a NaN\nb +Inf\nc -Inf\nd Inf\ne nan\nf 0x1p3\ng 1_000\nh 1e400\ni +1',
    series: ['a NaN', 'b Infinity', 'c -Infinity', 'd Infinity', 'e NaN', 'h Infinity'].map(
      (series) => `${series} @${TIME}`,
    ),
    rejects: 3,
  },
  'times of seconds are not a millisecond early': {
    text: 'a 1 1700000000.123\na 2 1700000001.001\na 3 -1.001\na 4 1700000000.9999',
    series: ['a 1 @1700000000123', 'a 2 @1700000001001', 'a 3 @-1001', 'a 4 @1700000000999'],
  },
  'times that cannot be': {
    text: 'a 1 1e300\na 1 NaN\na 1 Inf\na 1 -9223372036854775809\na 1 1700000000000000000000',
    series: [],
    rejects: 5,
  },
};

for (const [name, { text, series, exemplars, rejects = 0 }] of Object.entries(OPEN_METRICS)) {
  test(`Prometheus text: ${name}`, () => {
    const decoded = decode('prometheus_text', text);
    assert.deepEqual(seriesOf(decoded), series);
    assert.equal(decoded.rejects.length, rejects);
    assert.equal(decoded.uncarried?.['exemplars'], exemplars);
  });
}

const MARK = '\ufeff';
const LINES: Readonly<Record<string, readonly [line: string, series: string]>> = {
  prometheus_text: ['foo{a="b"} 1', 'foo{a="b"} 1'],
  influx: ['cpu v=1', 'cpu_v 1'],
  graphite: ['a.b 1', 'a.b 1'],
  opentsdb: ['put m 1600000000 1 a=b', 'm{a="b"} 1'],
  vmimport: ['{"metric":{"__name__":"m"},"values":[1],"timestamps":[1600000000789]}', 'm 1'],
};

for (const [encoding, [line, series]] of Object.entries(LINES)) {
  const told = ({ body, rejects }: Decoded) => ({
    series: seriesOf({ body, rejects }).map((text) => text.replace(/ @.*/, '')),
    rejects: rejects.length,
  });

  for (const as of [encoding, 'auto']) {
    test(`C5: a byte order mark is no part of a name: ${encoding} as ${as}`, () => {
      const expected = { series: [series, series], rejects: 0 };
      assert.deepEqual(told(decode(as, `${MARK}${line}\n${line}\n`)), expected);
      assert.deepEqual(told(decode(as, `${MARK}${MARK}\r\n${line}\r\n${line}\r\n`)), expected);
      // Texts with marks that were joined.
      assert.deepEqual(told(decode(as, `${line}\n${MARK}${line}\n${MARK}`)), expected);
    });
  }

  if (encoding === 'vmimport') continue;
  test(`a line that begins with # is a comment: ${encoding}`, () => {
    const text = `# one\n${line}\n  # two {x="y"} 1\n#three v=1 4\n\t#put a 1 1\n${MARK}# four\n#\n`;
    assert.deepEqual(told(decode(encoding, text)), { series: [series], rejects: 0 });
  });
}

test('bytes that are not UTF-8 are never made into text', () => {
  const latin1 = (text: string) => Buffer.from(text, 'latin1');
  const bodies: Record<string, Buffer> = {
    prometheus_text: latin1('caf\xe9{a="b"} 1\nm{caf\xe9="b"} 1\nm{a="caf\xe9"} 1\n{"caf\xe9"} 1'),
    influx: latin1('caf\xe9 v=1\nm,caf\xe9=b v=1\nm,a=caf\xe9 v=1\nm caf\xe9=1'),
    graphite: latin1('caf\xe9 1\nm;caf\xe9=b 1\nm;a=caf\xe9 1\nn.caf\xe9 1'),
    opentsdb: latin1('put caf\xe9 1 1 a=b\nput m 1 1 caf\xe9=b\nput m 1 1 a=caf\xe9\nput m.caf\xe9 1 1 a=b'),
  };
  for (const [encoding, body] of Object.entries(bodies)) {
    for (const options of [{}, { graphite: { sanitize_metric_name: true } }]) {
      const decoded = decode(encoding, body, options);
      // The pipeline sets each aside, since it holds names and values against UTF-8.
      assert.equal(decoded.rejects.length, 0);
      let left = 0;
      for (const byte of decoded.body) if (byte === 0xe9) left++;
      assert.equal(left, 4, encoding);
      assert.ok(!decoded.body.includes('\ufffd'), encoding);
    }
  }
});

test("names are sanitized a character at a time, as vmagent's", () => {
  const options = { graphite: { sanitize_metric_name: true } };
  const decoded = decode('graphite', 'a..b...c-\u00e9\u20ac\u{1f600}/x;t-g=v-\u00e9;u..=1 1\n..a 1', options);
  assert.deepEqual(seriesOf(decoded), [
    `a.b.c_____x{t_g="v-\u00e9",u.="1"} 1 @${TIME - 789}`,
    `.a 1 @${TIME - 789}`,
  ]);
});

test('times that cannot be are set aside in every encoding of lines', () => {
  const bodies: Record<string, string> = {
    influx: 'm v=1 -1700000000000000000\nm v=1 9223372036854775808\nm v=1 1e9\nm v=1 1.5',
    graphite: 'm 1 1e300\nm 1 NaN\nm 1 inf\nm 1 9100000000000000',
    opentsdb: 'put m 1e300 1\nput m NaN 1\nput m -inf 1\nput m 9223372036854775808 1',
  };
  for (const [encoding, body] of Object.entries(bodies)) {
    const decoded = decode(encoding, body);
    assert.deepEqual(seriesOf(decoded), [], encoding);
    assert.equal(decoded.rejects.length, 4, encoding);
  }
});

for (const { name, encoding, body, headers = {} } of TEXT_COST_SEEDS) {
  test(`${encoding} takes or refuses ${name}, and ends within its budget`, () => {
    const [decoder] = createDecoders({ graphite: { sanitize_metric_name: true } }).filter(
      (each) => each.name === encoding,
    );
    const value = body(256 * 1024);
    const limits = { ...DEFAULT_LIMITS, series_per_record: 10_000, faults_per_record: 1000 };
    const budget = new RecordBudget(limits, value.length);
    try {
      const decoded = decoder!.decode(value, { headers, timestamp: TIME, limits, budget });
      assert.ok(decoded.rejects.length <= 1000);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      assert.match(error.reason, /^(too_many_series|too_many_faults|record_too_large)$/);
    }
  });
}
