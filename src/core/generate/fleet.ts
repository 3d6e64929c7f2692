import { Pod, type PodIdentity, type PodSeries } from './pod.ts';
import { Random } from './random.ts';
import { type GeneratedService, SERVICES } from './services.ts';

export interface FleetOptions {
  /** Approximate number of series at one time; at least those of one pod. */
  readonly series: number;
  /** Same seed, same pods and values. */
  readonly seed: number;
  /** Time between two scrapes of a pod, ms. */
  readonly intervalMs: number;
  /** Time of the first scrapes, ms since the epoch. */
  readonly startMs: number;
}

/** Result of one scrape of one pod. */
export interface Scrape {
  readonly pod: PodIdentity;
  /** Timestamp of every sample, ms since the epoch. */
  readonly timestampMs: number;
  readonly series: readonly PodSeries[];
  /** The pod is gone: each series gets a stale marker instead of a value, and none after that. */
  readonly stale: boolean;
}

/** The place of one pod: when the pod ends, another takes it. */
interface Slot {
  readonly service: GeneratedService;
  pod: Pod;
  nextMs: number;
  /** Time at which the pod ends. */
  endMs: number;
  lastMs: number;
}

/** Shortest and longest life of a pod, ms. */
const LIFE_MS = [60_000, 600_000] as const;
/** The first pods are in the middle of their life; none ends sooner than this, ms. */
const FIRST_END_MS = 10_000;
/** Time that a new pod takes to start, ms. */
const START_MS = [500, 4_000] as const;
/** Probability that the end of a pod is the rollout of a new version. */
const ROLLOUT = 0.3;
/** Period of the traffic's swing, ms: short enough for a short trial to see it. */
const SWING_MS = 120_000;

/**
 * The pods of a made-up web shop, scraped one after the other as Prometheus does it: each has its own moment within
 * the interval. Pods come and go; a pod that went leaves stale markers at its next scrape.
 *
 * Pure: time passes by calling `next`. Everything but the absolute times follows from the options.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #random: Random;
  readonly #slots: Slot[] = [];
  readonly #releases = new Map<GeneratedService, { hash: string; version: number }>();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const replicas = new Map(SERVICES.map((service) => [service, 0]));
    let series = 0;
    do {
      const service = leastServed(replicas);
      replicas.set(service, replicas.get(service)! + 1);
      const slot = this.#firstPod(service);
      this.#slots.push(slot);
      series += slot.pod.series.length;
    } while (series < options.series);
  }

  get pods(): number {
    return this.#slots.length;
  }

  /** Time of the next scrape, ms since the epoch. */
  get nextMs(): number {
    return this.#nextSlot().nextMs;
  }

  /** The next scrape in order of time. */
  next(): Scrape {
    const slot = this.#nextSlot();
    const { pod, nextMs: timestampMs } = slot;
    const stale = timestampMs >= slot.endMs;
    if (stale) {
      this.#replace(slot);
    } else {
      pod.advance((timestampMs - slot.lastMs) / 1000, this.#load(timestampMs));
      slot.lastMs = timestampMs;
      slot.nextMs += this.#options.intervalMs;
    }
    return { pod: pod.identity, timestampMs, series: pod.series.map((one) => ({ ...one })), stale };
  }

  #nextSlot(): Slot {
    let first = this.#slots[0]!;
    for (const slot of this.#slots) if (slot.nextMs < first.nextMs) first = slot;
    return first;
  }

  #load(timeMs: number): number {
    const phase = ((timeMs - this.#options.startMs) / SWING_MS) * 2 * Math.PI;
    return 1 + 0.3 * Math.sin(phase);
  }

  /** A pod that runs already when the first scrape comes: its counters have grown, its life is partly over. */
  #firstPod(service: GeneratedService): Slot {
    const { startMs, intervalMs } = this.#options;
    const pod = this.#pod(service);
    pod.advance(this.#random.integer(60, 7200), 1);
    const nextMs = startMs + this.#random.integer(0, intervalMs - 1);
    const endMs = nextMs + this.#random.integer(FIRST_END_MS, LIFE_MS[1]);
    return { service, pod, nextMs, endMs, lastMs: nextMs - intervalMs };
  }

  #replace(slot: Slot): void {
    if (this.#random.next() < ROLLOUT) this.#release(slot.service, true);
    slot.pod = this.#pod(slot.service);
    slot.lastMs = slot.nextMs + this.#random.integer(...START_MS);
    slot.nextMs = slot.lastMs + this.#random.integer(1, this.#options.intervalMs);
    slot.endMs = slot.nextMs + this.#random.integer(...LIFE_MS);
  }

  #pod(service: GeneratedService): Pod {
    const random = this.#random;
    const { hash, version } = this.#release(service, false);
    const ip = `10.${random.integer(0, 63)}.${random.integer(0, 255)}.${random.integer(1, 254)}`;
    const host = random.integer(1, 24);
    const identity = {
      name: `${service.name}-${hash}-${random.letters(5)}`,
      service,
      version: `1.${version}.0`,
      instance: `${ip}:8080`,
      node: `node-${String(host).padStart(2, '0')}`,
      zone: `zone-${'abc'[host % 3]}`,
    };
    return new Pod(identity, new Random(random.integer(0, 2 ** 32 - 1)));
  }

  #release(service: GeneratedService, next: boolean): { hash: string; version: number } {
    const current = this.#releases.get(service);
    if (current !== undefined && !next) return current;
    const version = current === undefined ? this.#random.integer(1, 60) : current.version + 1;
    const release = { hash: this.#random.letters(9), version };
    this.#releases.set(service, release);
    return release;
  }
}

/** The service that has the fewest pods for its weight. */
function leastServed(replicas: ReadonlyMap<GeneratedService, number>): GeneratedService {
  const share = (service: GeneratedService) => (replicas.get(service)! + 1) / service.weight;
  return [...replicas.keys()].reduce((least, service) => (share(service) < share(least) ? service : least));
}
