import { type Label, type Labels, labelsFrom, METRIC_NAME } from '../model/labels.ts';
import type { Random } from './random.ts';
import type { BusinessCounter, Endpoint, GeneratedService } from './services.ts';

/** Identity of a pod: the source of its series' common labels. */
export interface PodIdentity {
  /** Such as `cart-7d9f8b6c5-x2k4j`. */
  readonly name: string;
  readonly service: GeneratedService;
  readonly version: string;
  /** host:port that it is scraped at. */
  readonly instance: string;
  readonly node: string;
  readonly zone: string;
}

/** A series and the value that a scrape finds. */
export interface PodSeries {
  /** Sorted by name. */
  readonly labels: Labels;
  readonly value: number;
}

/** Lets `seconds` pass; `load` is 1 at the usual traffic. */
type Advance = (seconds: number, load: number) => void;

interface MutableSeries {
  readonly labels: Labels;
  value: number;
}

/** Upper bounds in seconds of the duration histogram. */
const BOUNDS = [0.005, 0.025, 0.1, 0.25, 1, 2.5];
const CODES = ['200', '404', '500'];
const PAGE_BYTES = 4096;
/** Shape of the log-logistic distribution of durations: the larger, the closer they are to the median. */
const STEEPNESS = 2.2;

/**
 * One pod and its series. Counters begin at 0 and only grow; values have few digits, so that no store rounds them.
 */
export class Pod {
  readonly identity: PodIdentity;
  readonly #random: Random;
  readonly #common: Readonly<Record<string, string>>;
  readonly #series: MutableSeries[] = [];
  readonly #parts: Advance[];

  constructor(identity: PodIdentity, random: Random) {
    const { service, name: pod, instance, node, zone, version } = identity;
    const { name, namespace, team } = service;
    this.identity = identity;
    this.#random = random;
    this.#common = { namespace, service: name, team, pod, instance, container: name, node, zone, version };
    this.#parts = [
      ...service.endpoints.map((endpoint) => this.#endpoint(endpoint)),
      ...(service.business === undefined ? [] : [this.#business(service.business)]),
      ...(service.queue === undefined ? [] : [this.#queue(service.queue)]),
      this.#process(),
    ];
  }

  /** The same array at each call; the values change with `advance`. */
  get series(): readonly PodSeries[] {
    return this.#series;
  }

  /** Lets time pass: counters grow, gauges move. */
  advance(seconds: number, load: number): void {
    for (const part of this.#parts) part(seconds, load);
  }

  #add(name: string, labels: Readonly<Record<string, string>> = {}): MutableSeries {
    const all: Label[] = labelsFrom({ [METRIC_NAME]: name, ...this.#common, ...labels });
    const series = { labels: all.sort((a, b) => (a.name < b.name ? -1 : 1)), value: 0 };
    this.#series.push(series);
    return series;
  }

  #endpoint({ method, route, rate, median }: Endpoint): Advance {
    const call = { method, route };
    const [ok, notFound, failed] = CODES.map((code) => this.#add('http_requests_total', { ...call, code }));
    const name = 'http_request_duration_seconds';
    const buckets = BOUNDS.map((bound) => this.#add(`${name}_bucket`, { ...call, le: String(bound) }));
    const all = this.#add(`${name}_bucket`, { ...call, le: '+Inf' });
    const sum = this.#add(`${name}_sum`, call);
    const count = this.#add(`${name}_count`, call);
    let sumMs = 0;
    return (seconds, load) => {
      const random = this.#random;
      const requests = random.round(rate * load * seconds * random.between(0.8, 1.2));
      const failures = Math.min(requests, random.round(requests * random.between(0, 0.01)));
      const misses = Math.min(requests - failures, random.round(requests * random.between(0, 0.03)));
      failed!.value += failures;
      notFound!.value += misses;
      ok!.value += requests - failures - misses;
      const slowed = median * random.between(0.9, 1.1) * (1 + 0.3 * Math.max(0, load - 1));
      for (const [at, bucket] of buckets.entries()) {
        bucket.value += Math.round(requests / (1 + (slowed / BOUNDS[at]!) ** STEEPNESS));
      }
      all.value += requests;
      count.value += requests;
      sumMs += Math.round(requests * slowed * 1.2 * 1000);
      sum.value = sumMs / 1000;
    };
  }

  #business({ name, label, values, rate }: BusinessCounter): Advance {
    const counters = values.map((value) => this.#add(name, { [label]: value }));
    return (seconds, load) => {
      for (const [at, counter] of counters.entries()) {
        const share = 2 ** (values.length - 1 - at) / (2 ** values.length - 1);
        counter.value += this.#random.round(rate * load * seconds * share);
      }
    };
  }

  #queue(queue: string): Advance {
    const depth = this.#add('queue_depth', { queue });
    return (_, load) => {
      depth.value = Math.max(0, Math.round(depth.value * 0.7 + this.#random.between(0, 40 * load)));
    };
  }

  #process(): Advance {
    const cpu = this.#add('process_cpu_seconds_total');
    const memory = this.#add('process_resident_memory_bytes');
    const files = this.#add('process_open_fds');
    const inFlight = this.#add('http_requests_in_flight');
    const tasks = this.#add('runtime_tasks');
    let cpuTicks = 0;
    let pages = this.#random.integer(20_000, 40_000);
    return (seconds, load) => {
      const random = this.#random;
      cpuTicks += random.round(30 * load * seconds);
      cpu.value = cpuTicks / 100;
      pages = Math.max(15_000, pages + random.integer(-200, 210));
      memory.value = pages * PAGE_BYTES;
      files.value = Math.round(30 + 40 * load * random.between(0.8, 1.2));
      inFlight.value = random.integer(0, Math.ceil(12 * load));
      tasks.value = Math.round(80 + 60 * load * random.between(0.8, 1.2));
    };
  }
}
