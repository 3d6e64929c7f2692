import { gunzipSync } from 'node:zlib';
import { uncompress } from '../../src/core/wire/snappy.ts';
import { bodyOf, ingestCases } from '../support/vectors.ts';

/** Bodies of a vector file without their compression. */
export function vectorBodies(file: string): Buffer[] {
  return ingestCases(file).flatMap((each) => {
    const payload = bodyOf(each);
    try {
      if (file.includes('remote-write')) return [uncompress(payload, 1_000_000)];
      const encoding = each.options?.headers?.['Content-Encoding'];
      return [encoding === 'gzip' ? gunzipSync(payload) : payload];
    } catch {
      // Cases of broken compression.
      return [];
    }
  });
}

const POINT = {
  timeUnixNano: '1700000000123000000',
  startTimeUnixNano: 1700000000000,
  attributes: [
    { key: 'code', value: { intValue: '200' } },
    { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { boolValue: true }, {}] } } },
    { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 1e-7 } }] } } },
    { key: 'bytes', value: { bytesValue: 'AAH+' } },
  ],
};

/** One metric of each kind, alone, all together, and with one that cannot be read. */
export function otlpJsonBodies(): Buffer[] {
  const histogram = { ...POINT, count: '6', sum: 1.5, bucketCounts: ['1', 2, '3'], explicitBounds: [0.5, 1] };
  const buckets = { offset: -3, bucketCounts: ['1', '0', 2] };
  const exponential = { ...POINT, count: 6, scale: 2, zeroCount: '1', positive: buckets, negative: buckets };
  const quantileValues = [{ quantile: 0.5, value: 10 }];
  const metrics = [
    {
      name: 'g',
      unit: 's',
      gauge: {
        dataPoints: [
          { ...POINT, asDouble: 'NaN' },
          { ...POINT, flags: 1 },
        ],
      },
    },
    {
      name: 'c',
      sum: { isMonotonic: true, aggregationTemporality: 1, dataPoints: [{ ...POINT, asInt: '-7' }] },
    },
    { name: 'h', histogram: { dataPoints: [histogram] } },
    { name: 'e', exponentialHistogram: { dataPoints: [exponential] } },
    { name: 's', summary: { dataPoints: [{ ...POINT, count: '5', sum: 2, quantileValues }] } },
  ];
  const request = (of: readonly object[]) => {
    const scopeMetrics = [{ scope: { name: 'lib', version: '1' }, metrics: of }];
    return { resourceMetrics: [{ resource: { attributes: POINT.attributes }, scopeMetrics }] };
  };
  // Cannot be read, among others that can: set aside with its resource and scope.
  const bad = { name: 'bad', gauge: { dataPoints: [{ ...POINT, asDouble: 'much' }] } };
  return [...metrics.map((metric) => [metric]), metrics, [metrics[0]!, bad, metrics[2]!, bad]].map((of) =>
    Buffer.from(JSON.stringify(request(of))),
  );
}

const SAMPLE =
  '{"timestamp":"2023-11-14T22:13:20Z","value":"1.5","name":"up","labels":{"__name__":"up","job":"api"}}';

export function jsonBodies(): Buffer[] {
  return [
    SAMPLE,
    `[${SAMPLE},${SAMPLE}]`,
    `${SAMPLE}\n${SAMPLE}\n`,
    `{"name":"é","value":-1e-7,"timestamp":1700000000.5}\n{"value":"NaN"}\n{"name":1`,
    JSON.stringify(JSON.parse(SAMPLE), null, 2),
    '[{"name":"a","value":"+Inf","labels":{"n":1,"b":true,"x":null}},7,{"value":{}}]',
  ].map((text) => Buffer.from(text));
}
