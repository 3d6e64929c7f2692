import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_OTLP, type OtlpOptions } from '../../../../../src/core/decode/decode-options.ts';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { labelName } from '../../../../../src/core/decode/otlp/naming.ts';
import { createDecoders } from '../../../../../src/core/decode/registry.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';
import { writeOtlp } from '../../../../support/otlp.ts';

/** Attribute ▸ its label with the sanitization of underscores, and without. */
const NAMES: Readonly<Record<string, readonly [string, string]>> = {
  _private: ['key_private', '_private'],
  '.dotted': ['key_dotted', '_dotted'],
  é: ['key_', '_'],
  __reserved: ['__reserved', '__reserved'],
  '1st': ['key_1st', 'key_1st'],
  'service.name': ['service_name', 'service_name'],
  plain: ['plain', 'plain'],
};

for (const [index, on] of [true, false].entries()) {
  const options: OtlpOptions = {
    ...DEFAULT_OTLP,
    use_prometheus_naming: true,
    label_name_underscore_sanitization: on,
  };
  test(`label names with the sanitization of underscores ${on ? 'on' : 'off'}`, () => {
    for (const [name, labels] of Object.entries(NAMES)) assert.equal(labelName(name, options), labels[index]);
  });

  for (const encoding of ['otlp', 'otlp_json']) {
    test(`${encoding} is told whether it is ${on ? 'on' : 'off'}`, () => {
      const decoder = createDecoders({ otlp: options }).find(({ name }) => name === encoding)!;
      const body = encoding === 'otlp' ? writeOtlp(REQUEST) : Buffer.from(JSON.stringify(REQUEST));
      const decoded = decoder.decode(body, { headers: {}, timestamp: 1, limits: DEFAULT_LIMITS });
      const names = decodeWriteRequest(decoded.body).series[0]!.labels.map(([name]) => name);
      assert.deepEqual(names, ['__name__', on ? 'key_a' : '_a']);
    });
  }
}

test('without names as in Prometheus nothing is sanitized', () => {
  for (const name of Object.keys(NAMES)) assert.equal(labelName(name, DEFAULT_OTLP), name);
});

const REQUEST = {
  resourceMetrics: [
    {
      scopeMetrics: [
        {
          metrics: [
            {
              name: 'm',
              gauge: {
                dataPoints: [
                  {
                    asDouble: 1,
                    timeUnixNano: '1000000',
                    attributes: [{ key: '_a', value: { stringValue: 'b' } }],
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  ],
};
