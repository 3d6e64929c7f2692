import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';

/** The series of a body as `name{label="value"} …`, and the rejects, for a record without headers. */
function read(text: string, encoding = 'auto', options = {}) {
  const context = { headers: {}, timestamp: 1, limits: DEFAULT_LIMITS };
  const registry = new DecoderRegistry(encoding, createDecoders(options));
  const { body, rejects } = registry.decode(Buffer.from(text), context);
  const series = decodeWriteRequest(body).series.map(({ labels }) => {
    const { __name__: name, ...rest } = Object.fromEntries(labels);
    return `${name}${JSON.stringify(rest)}`;
  });
  return { series, rejects };
}

const NETDATA =
  '{"prefix":"netdata","hostname":"h1","chart_id":"system.cpu","units":"percentage","id":"user","name":"user","value":1.5,"timestamp":1700000000}';
const ZABBIX =
  '{"host":{"host":"h1","name":"h1"},"groups":["g"],"itemid":44457,"name":"CPU load","clock":1519304285,"value":0.1,"type":0}';

const FOREIGN: readonly [string, string[]][] = [
  [NETDATA, ['prefix', 'hostname', 'chart_id', 'id']],
  [ZABBIX, ['host', 'groups', 'itemid', 'clock']],
  ['{"name":"cpu","value":1,"tags":{"h":"x"}}', ['tags']],
  ['{"tags":{"h":"x"},"name":"cpu","value":1}', ['tags']],
  ['{"metric":"cpu","value":1,"timestamp":1700000000,"host":"x"}', ['host']],
  ['[{"metric":"cpu","value":1,"tags":{}},{"metric":"cpu","value":1,"tags":{},"id":42}]', ['id']],
  ['{"metric":{"__name__":"a"},"values":[1],"timestamps":[1],"tenant":"x"}', ['tenant']],
  ['{"name":"a","metric":"b","value":1}', ['metric']],
  ['{"metric":{"__name__":"a","id":738529527931269425},"values":[1],"timestamps":[1]}', ['id']],
];

for (const [text, unknown] of FOREIGN) {
  test(`what is not understood is named: ${text}`, () => {
    const { rejects } = read(text);
    assert.equal(rejects.length, 1);
    for (const name of unknown) assert.match(rejects[0]!.message, new RegExp(`"${name}"`));
  });
}

test('a setting passes such members over', () => {
  const { series, rejects } = read(NETDATA, 'auto', { json: { unknown_members: 'ignore' } });
  assert.deepEqual([series, rejects], [['user{}'], []]);
});

const UNDERSTOOD: readonly [string, string][] = [
  ['{"metric":"cpu","value":1,"labels":{"h":"x"},"timestamp":1700000000}', 'cpu{"h":"x"}'],
  ['{"name":"a","value":1,"host":null,"tags":{},"groups":[],"note":""}', 'a{}'],
  ['{"name":"a","value":1,"type":"gauge","unit":"s","help":"h"}', 'a{}'],
  ['{"name":"a","metric":"a","value":1}', 'a{}'],
  [
    '{"timestamp":"1970-01-01T00:00:00Z","value":"1","name":"up","labels":{"__name__":"up","l":"v"}}',
    'up{"l":"v"}',
  ],
  ['{"metric":"cpu","timestamp":1700000000,"value":1,"tags":{"h":"x"}}', 'cpu{"h":"x"}'],
];

for (const [text, expected] of UNDERSTOOD) {
  test(`${text} is read`, () => {
    const { series, rejects } = read(text);
    assert.deepEqual([series, rejects], [[expected], []]);
  });
}

test('who says that it is OpenTSDB or VictoriaMetrics has their rule: what is not known is not looked at', () => {
  assert.deepEqual(read('{"metric":"cpu","value":1,"host":"x"}', 'opentsdb_http').series, ['cpu{}']);
  const line = '{"metric":{"__name__":"a"},"values":[1],"timestamps":[1],"host":"x"}';
  assert.deepEqual(read(line, 'vmimport').series, ['a{}']);
});
