import { compressed, encodeWriteRequest, type SeriesToWrite } from './write-request.ts';

/** The same options always generate the same bytes. */
export interface GenerateOptions {
  /** Number of different series. */
  readonly series: number;
  /** Labels of a series, the name among them: 3 to 40. */
  readonly labels?: number;
  readonly seed?: number;
  readonly seriesPerRequest?: number;
  /** Number of the scrape: times and values differ from scrape to scrape, labels do not. */
  readonly scrape?: number;
  /** Time of scrape 0 in ms; the others follow every 15 s. */
  readonly startMs?: number;
  /** Number of the first series; ranges that overlap share series, so churn is a shifted range. */
  readonly firstSeries?: number;
}

/** One remote write 1.0 request. */
export interface GeneratedRequest {
  /** As sent: snappy. */
  readonly value: Buffer;
  /** The same before compression. */
  readonly body: Buffer;
  readonly series: number;
}

const SERIES_PER_POD = 50;
const PODS_PER_SERVICE = 12;

/**
 * Requests like those of an agent that scrapes one pod after the other: services in namespaces, pods on nodes, each pod
 * with some fifty series of a web service. 12 labels take about 314 bytes encoded.
 */
export function* generateWriteRequests(options: GenerateOptions): Generator<GeneratedRequest> {
  const { series, seriesPerRequest = 2000 } = options;
  const all = generateSeries(options);
  for (let first = 0; first < series; first += seriesPerRequest) {
    const count = Math.min(seriesPerRequest, series - first);
    const body = encodeWriteRequest(nextOf(all, count));
    yield { body, value: compressed(body), series: count };
  }
}

/** The next `count`, one at a time: all series of a request at once would be most of the memory of a benchmark. */
function* nextOf<T>(all: Iterator<T>, count: number): Generator<T> {
  for (let at = 0; at < count; at++) yield all.next().value;
}

/** The series of those requests, a sample each. */
export function* generateSeries(options: GenerateOptions): Generator<SeriesToWrite> {
  const { series, labels = 12, seed = 1, scrape = 0, firstSeries = 0 } = options;
  const { startMs = 1_760_000_000_000 } = options;
  const random = randomNumbers(seed + scrape * 7919);
  for (let number = firstSeries; number < firstSeries + series; number++) {
    const pod = Math.floor(number / SERIES_PER_POD);
    const jitterMs = hash(seed, pod) % 15_000;
    yield {
      labels: seriesLabels(number, labels, seed),
      samples: [[startMs + scrape * 15_000 + jitterMs, sampleValue(number, scrape, random)]],
    };
  }
}

/** Names and values of one series, sorted by name. */
export function seriesLabels(number: number, labels: number, seed: number): [string, string][] {
  const pod = Math.floor(number / SERIES_PER_POD);
  const metric = number % SERIES_PER_POD;
  const service = Math.floor(pod / PODS_PER_SERVICE);
  const podHash = hash(seed, pod);
  const serviceHash = hash(seed + 1, service);
  const serviceName = `${pick(SERVICES, serviceHash)}-${pick(ROLES, serviceHash >>> 8)}-${service}`;
  const ip = `10.${podHash & 63}.${(podHash >>> 8) & 255}.${(podHash >>> 16) & 255}`;
  const zone = 'abc'[podHash % 3]!;
  const all: [string, string][] = [
    ['__name__', pick(METRICS, metric)],
    ['service', serviceName],
    ['instance', `${ip}:8080`],
    ['namespace', pick(TEAMS, serviceHash >>> 4)],
    ['pod', `${serviceName}-${letters(hash(seed + 2, service), 9)}-${letters(hash(seed + 3, pod), 5)}`],
    ['job', 'kubernetes-pods'],
    ['node', `ip-${ip.replaceAll('.', '-')}`],
    ['container', serviceName],
    ['handler', `/api/v1/${pick(TEAMS, metric)}/:id`],
    ['code', pick(['200', '201', '204', '400', '404', '500'], metric >>> 2)],
    ['method', pick(['GET', 'POST', 'PUT'], metric)],
    ['zone', `eu-west-1${zone}`],
  ];
  for (let i = all.length; i < labels; i++)
    all.push([`label_${String(i).padStart(2, '0')}`, letters(hash(seed, i), 8)]);
  return all.slice(0, labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

function sampleValue(number: number, scrape: number, random: () => number): number {
  const kind = hash(17, number) % 10;
  if (kind === 0) return 0;
  if (kind <= 6) return Math.floor((hash(19, number) % 1_000_000) + scrape * 15 * random() * 40);
  return random() * 1000;
}

function pick<T>(list: readonly T[], number: number): T {
  return list[(number >>> 0) % list.length]!;
}

/** Letters and digits as Kubernetes puts them into names. */
function letters(number: number, count: number): string {
  let text = '';
  let rest = number >>> 0;
  for (let i = 0; i < count; i++) {
    text += 'bcdfghjklmnpqrstvwxz2456789'[rest % 27];
    rest = hash(rest, i);
  }
  return text;
}

/** A 32-bit hash of two numbers. */
function hash(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

/** Seeded numbers in [0, 1): a linear congruential generator. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

const SERVICES = [
  'cart',
  'checkout',
  'catalog',
  'payment',
  'shipping',
  'search',
  'account',
  'review',
  'stock',
  'price',
];
const ROLES = ['api', 'worker', 'frontend', 'gateway', 'cache'];
const TEAMS = ['shop', 'orders', 'billing', 'logistics', 'identity', 'content', 'platform'];
const METRICS = [
  'http_requests_total',
  'http_request_duration_seconds_sum',
  'http_request_duration_seconds_count',
  'http_request_size_bytes_sum',
  'http_response_size_bytes_sum',
  'http_requests_in_flight',
  'db_client_connections_usage',
  'db_client_operation_duration_seconds_sum',
  'queue_messages_published_total',
  'queue_messages_consumed_total',
];
