import { DEFAULT_LIMITS, type IngestLimits } from '../decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../decode/registry.ts';
import { SeriesCache, type SeriesCacheStats } from './series-cache.ts';
import { type PipelineRoute, SeriesRouter } from './series-router.ts';
import { type Generation, Step } from './step.ts';
import { BufferPool, outputCapacity } from './task-output.ts';
import { TaskOutputs } from './task-outputs.ts';

export type { DeadLetter } from './dead-letter.ts';
export type { PipelineRoute } from './series-router.ts';

export interface PipelineOptions {
  /** In order of their `index`, from 0. */
  readonly routes: readonly PipelineRoute[];
  /** Memory for the series cache. */
  readonly cacheBytes: number;
  /** Most bytes of a task record's value, by topic. Leave room below `max.message.bytes` for headers and framing. */
  readonly maxRecordBytes: (topic: string) => number;
  readonly limits?: IngestLimits;
  /** Names of the headers that tell tenants apart. */
  readonly tenantHeaders?: readonly string[];
  /** The decoders of a topic's records. Default: all of them, `auto`, for every topic. */
  readonly decoders?: (topic: string) => DecoderRegistry;
  /** Recreates the decoders after an unexpected error in one: they keep buffers between records. */
  readonly renewDecoders?: () => void;
  /** The time that samples' ages count from, in ms since the epoch. */
  readonly now?: () => number;
  /** Slab size and hash seed of the cache, for tests. */
  readonly slabBytes?: number;
  readonly hashSeed?: number;
}

/** Options that a reload may change; absent ones stay as they are. */
export interface ReplacedRules
  extends Partial<Pick<PipelineOptions, 'cacheBytes' | 'limits' | 'tenantHeaders'>> {
  readonly routes?: readonly PipelineRoute[] | undefined;
}

/** Most bytes of unused output buffers that are kept: the limit of a step's bytes after decompression. */
const POOL_BYTES = 64 * 1024 * 1024;

/** Bytes of the series cache of a scratch pipeline. */
const SCRATCH_BYTES = 256 * 1024;

/**
 * decode ▸ route ▸ relabel ▸ hash 1 ▸ encode, synchronous and without I/O.
 *
 * One pipeline serves a process: what is known about series is shared by all partitions. Their records go through in
 * steps, each of one partition, since outputs and offsets must not mix.
 */
export class Pipeline {
  #options: PipelineOptions;
  readonly #pool = new BufferPool(POOL_BYTES);
  readonly #decoders: (topic: string) => DecoderRegistry;
  #ownDecoders: DecoderRegistry | undefined;
  #generation: Generation;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#decoders = options.decoders ?? (() => (this.#ownDecoders ??= new DecoderRegistry()));
    this.#generation = this.#compile(options.routes);
  }

  /** Begins a step, which takes records of one partition of `topic`, and goes by the rules now in force. */
  begin(topic = ''): Step {
    const { limits = DEFAULT_LIMITS, tenantHeaders = [], maxRecordBytes, now = Date.now } = this.#options;
    const outputs = new TaskOutputs({
      routes: this.#generation.routes,
      tenantHeaders,
      tenantBytes: limits.tenant_bytes,
      capacity: (output) => outputCapacity(maxRecordBytes(output)),
      pool: this.#pool,
    });
    return new Step(this.#generation, { outputs, decoders: () => this.#decoders(topic), limits, now });
  }

  /**
   * Applies a reload to the steps begun from now on. The series cache is kept unless routes, limits or its memory
   * change.
   */
  replace({ routes, ...rules }: ReplacedRules): void {
    const { cacheBytes, limits } = this.#options;
    this.#options = { ...this.#options, ...rules };
    const isSame =
      cacheBytes === this.#options.cacheBytes && isSameLimits(limits, this.#options.limits ?? limits);
    if (routes !== undefined || !isSame) this.#generation = this.#compile(routes ?? this.#generation.routes);
  }

  /** Rebuilds decoders, cache and router, whose state is unknown after an unexpected error. */
  renew(): void {
    this.renewDecoders();
    this.#generation = this.#compile(this.#generation.routes);
  }

  /** Rebuilds the decoders alone. A step that is under way goes on with the new ones. */
  renewDecoders(): void {
    this.#options.renewDecoders?.();
    if (this.#ownDecoders !== undefined) this.#ownDecoders = new DecoderRegistry('auto', createDecoders());
  }

  /** Another pipeline with the same routes and decoders, and a small cache. */
  scratch(): Pipeline {
    const routes = this.#generation.routes;
    const options = { ...this.#options, routes, cacheBytes: SCRATCH_BYTES, slabBytes: SCRATCH_BYTES / 4 };
    return new Pipeline({ ...options, decoders: this.#decoders });
  }

  get cacheStats(): SeriesCacheStats {
    return this.#generation.cache.stats;
  }

  #compile(routes: readonly PipelineRoute[]): Generation {
    routes.forEach((route, index) => {
      if (route.index !== index)
        throw new RangeError(`route ${route.name} has index ${route.index}, not ${index}`);
    });
    const { cacheBytes, limits = DEFAULT_LIMITS, slabBytes, hashSeed } = this.#options;
    const cache = new SeriesCache({
      bytes: cacheBytes,
      ...(slabBytes !== undefined && { slabBytes }),
      seed: hashSeed ?? Math.floor(Math.random() * 2 ** 32),
    });
    return { routes, cache, router: new SeriesRouter(routes, limits) };
  }
}

function isSameLimits(before: IngestLimits = DEFAULT_LIMITS, after: IngestLimits = DEFAULT_LIMITS): boolean {
  const keys = Object.keys(after) as (keyof IngestLimits)[];
  return keys.every((key) => before[key] === after[key]);
}
