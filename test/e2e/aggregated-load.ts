/** What services send whose metrics are aggregated: scrapes in remote write, and what an OpenTelemetry SDK sends. */
import type { Deployment } from '../lab/deployment/deployment.ts';
import { writeRequest } from '../lab/generator/write-request.ts';
import type { InputSeries } from '../lab/truth/aggregates.ts';
import type { Place } from '../lab/truth/stored-samples.ts';

export const RAW_PARTITIONS = 4;
const SERVICES = Array.from({ length: 16 }, (_, n) => `service-${n}`);
const PODS = 2;
/** In scrapes. */
const RESET_EVERY = 8;
const LE = ['0.1', '1', '+Inf'];

/** Writes the nth scrape of all services to the ingest topic. A sample's time is when it is written, however slow the host. */
export async function produceScrape(penstock: Deployment, n: number, truth: Truth): Promise<void> {
  for (const [at, service] of SERVICES.entries()) {
    const partition = at % RAW_PARTITIONS;
    await penstock.produce([scrape(service, n, Date.now(), truth)], partition);
    const headers = { 'content-type': 'application/x-otlp+json' };
    await penstock.produce([otlp(service, n, Date.now(), truth)], partition, headers);
  }
}

/** Values of one pod in its nth scrape, by metric and further labels. Counters of pod 1 are reset again and again. */
function podValues(pod: number, n: number): [string, Record<string, string>, number][] {
  const since = pod === 1 ? n % RESET_EVERY : n;
  const calls = since * (pod + 3);
  const gauge = ((pod * 31 + n * 7) % 97) / 4;
  return [
    ['http_requests_total', {}, calls],
    ['queue_length', {}, gauge],
    ...LE.map((le, at): [string, Record<string, string>, number] => [
      'http_request_duration_seconds_bucket',
      { le },
      Math.floor((calls * (at + 1)) / LE.length),
    ]),
    ['http_request_duration_seconds_sum', {}, calls / 8],
    ['http_request_duration_seconds_count', {}, calls],
    ['rpc_duration_seconds', { quantile: '0.5' }, gauge],
    ['rpc_duration_seconds', { quantile: '0.99' }, gauge * 2],
    ['rpc_duration_seconds_sum', {}, calls / 4],
    ['rpc_duration_seconds_count', {}, calls],
  ];
}

/** All that was written: by labels, the samples. */
export class Truth {
  readonly #series = new Map<string, { labels: Record<string, string>; samples: [number, number][] }>();

  add(labels: Record<string, string>, timeMs: number, value: number): void {
    const key = JSON.stringify(labels);
    const series = this.#series.get(key) ?? { labels, samples: [] };
    this.#series.set(key, series);
    series.samples.push([timeMs, value]);
  }

  /** As the vmagents get it. */
  placed(place: Place): InputSeries[] {
    return [...this.#series.values()].flatMap(({ labels, samples }) =>
      place(labels).map((placed) => ({ labels: placed.labels, samples })),
    );
  }
}

/** One scrape of all pods of a service in remote write. */
function scrape(service: string, n: number, timeMs: number, truth: Truth): Buffer {
  const pods = Array.from({ length: PODS }, (_, pod) => pod);
  return writeRequest(
    pods.flatMap((pod) =>
      podValues(pod, n).map(([name, more, value]) => {
        const labels = { __name__: name, namespace: 'shop', pod: `${service}-${pod}`, service, ...more };
        truth.add(labels, timeMs, value);
        return { labels: Object.entries(labels).sort(), samples: [[timeMs, value] as const] };
      }),
    ),
  );
}

/** What an OpenTelemetry SDK would send of a service: a sum, a gauge and a histogram, under OpenTelemetry's names. */
function otlp(service: string, n: number, timeMs: number, truth: Truth): Buffer {
  const attributes = [
    { key: 'namespace', value: { stringValue: 'shop' } },
    { key: 'service', value: { stringValue: service } },
  ];
  const point = { attributes, timeUnixNano: `${timeMs}000000` };
  const count = n * 4;
  const labels = { namespace: 'shop', service };
  const arrive = (name: string, value: number, more: Record<string, string> = {}) =>
    truth.add({ __name__: name, ...labels, ...more }, timeMs, value);
  arrive('orders_placed_total', n * 2);
  arrive('pool_connections', n % 9);
  arrive('order_duration_seconds_count', count);
  arrive('order_duration_seconds_sum', count / 2);
  arrive('order_duration_seconds_bucket', n, { le: '0.5' });
  arrive('order_duration_seconds_bucket', count, { le: '+Inf' });
  const metrics = [
    {
      name: 'orders.placed',
      unit: '{order}',
      sum: {
        isMonotonic: true,
        aggregationTemporality: 2,
        dataPoints: [{ ...point, asInt: String(n * 2) }],
      },
    },
    { name: 'pool.connections', gauge: { dataPoints: [{ ...point, asInt: String(n % 9) }] } },
    {
      name: 'order.duration',
      unit: 's',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          {
            ...point,
            count: String(count),
            sum: count / 2,
            bucketCounts: [String(n), String(count - n)],
            explicitBounds: [0.5],
          },
        ],
      },
    },
  ];
  return Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
}
