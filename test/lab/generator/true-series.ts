import { writeRequest } from './write-request.ts';

/** One series of the truth: its labels as sent, and every sample. */
export interface TrueSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch ▸ value. */
  readonly samples: Map<number, number>;
}

const SERVICES = ['cart', 'checkout', 'search', 'payments', 'catalog', 'users', 'mail'];
const NAMESPACES = ['shop', 'back-office'];

/** `count` series of a few services: many pods a group, so that groups are larger than series. */
export function trueSeries(count: number): TrueSeries[] {
  return Array.from({ length: count }, (_, index) => ({
    labels: {
      __name__: 'http_requests_total',
      service: SERVICES[index % SERVICES.length]!,
      namespace: NAMESPACES[Math.floor(index / SERVICES.length) % NAMESPACES.length]!,
      shard: String(Math.floor(index / 14) % 3),
      instance: `10.0.${Math.floor(index / 256)}.${index % 256}:9090`,
      code: index % 5 === 0 ? '500' : '200',
    },
    samples: new Map<number, number>(),
  }));
}

/** One scrape of a range of the series: a record as a producer writes it, and the samples added to the truth. */
export function scrape(series: readonly TrueSeries[], timeMs: number, round: number): Buffer {
  return writeRequest(
    series.map(({ labels, samples }, index) => {
      const value = round * 17 + index;
      samples.set(timeMs, value);
      return { labels: Object.entries(labels).sort(), samples: [[timeMs, value]] };
    }),
  );
}
