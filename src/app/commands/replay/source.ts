import type { DecoderRegistry } from '../../../core/decode/registry.ts';
import { topicDecoders } from '../../../core/decode/topic-decoders.ts';
import { errorMessage, RetryableError } from '../../../core/model/errors.ts';
import { expectedName } from '../../../core/model/nearest.ts';
import { Pipeline } from '../../../core/pipeline/pipeline.ts';
import { compileSelector } from '../../../core/relabel/selector/selector.ts';
import { compileRoutes } from '../../../core/route/route.ts';
import { RegistryClient } from '../../../io/registry/client.ts';
import { SchemaStore } from '../../../io/registry/store.ts';
import { Backoff, sleep } from '../../../io/time/sleep.ts';
import { Selection } from '../../../services/replay/plan/selection.ts';
import type { StepOptions } from '../../../services/replay/steps.ts';
import type { ReplaySpec } from '../../../services/replay/stored-replay.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import { NamedSchemas } from '../../../services/worker/schema-wait.ts';
import type { Config } from '../../config/load.ts';
import { usageError } from '../command.ts';
import { defectNotes } from '../defect-notes.ts';
import type { KafkaSession } from '../kafka-session.ts';

const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 10_000;

/** What a replay takes of its topic, and how that is read. */
export class ReplaySource {
  readonly selection: Selection;
  /** Fetches the schemas of a step's records; waits for a registry that is away. Undefined: there is none. */
  readonly prepare: StepOptions['prepare'];
  readonly #config: Config;
  readonly #decoders: DecoderRegistry;
  readonly #registry: RegistryClient | undefined;

  constructor({ config, nowMs }: KafkaSession, spec: ReplaySpec, say: (message: string) => void) {
    const { worker, registry } = config;
    const { url } = registry;
    const client = url === undefined ? undefined : new RegistryClient({ ...registry, url });
    const schemas =
      client && new SchemaStore((id) => client.fetch(id), { missingTtlMs: registry.missing_ttl });
    const [first, ...others] = ingestTopics(worker).map((each) => (schemas ? { ...each, schemas } : each));
    this.#config = config;
    this.#decoders = topicDecoders([first!, ...others])(spec.topic);
    this.#registry = client;
    this.prepare = schemas && ((step, stop) => this.#fetchSchemas(schemas, step, stop, say));
    const { limits, tenant_headers: tenantHeaders } = worker;
    this.selection = new Selection(
      {
        ...spec,
        match: (spec.match ?? []).map(compileSelector),
        ...{ limits, tenantHeaders, onDefect: defectNotes(say), nowMs },
      },
      this.#decoders,
    );
  }

  /**
   * A pipeline with one route of the configuration, writing to `topic`. Samples may have any age: those of a replay are
   * old.
   *
   * @throws ConfigError if the configuration has no such route
   */
  pipeline(route: string, topic: string, maxRecordBytes: number): Pipeline {
    const { series_cache_bytes: cacheBytes, tenant_headers: tenantHeaders, limits } = this.#config.worker;
    requireRoute(this.#config, route);
    const compiled = compileRoutes(this.#config).find(({ name }) => name === route)!;
    return new Pipeline({
      routes: [{ ...compiled, index: 0, topic }],
      cacheBytes,
      maxRecordBytes: () => maxRecordBytes,
      limits: { ...limits, max_age: 0, max_future: 0 },
      tenantHeaders,
      decoders: () => this.#decoders,
    });
  }

  async close(): Promise<void> {
    await this.#registry?.close();
  }

  async #fetchSchemas(
    schemas: SchemaStore,
    { chunks }: Parameters<NonNullable<StepOptions['prepare']>>[0],
    stop: AbortSignal,
    say: (message: string) => void,
  ): Promise<void> {
    const named = new NamedSchemas();
    for (const { records } of chunks)
      for (const record of records) named.look(record, this.#decoders, this.#config.worker.limits);
    const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    for (let told = false; ; told = true) {
      try {
        return await schemas.ensure(named.ids);
      } catch (error) {
        if (!(error instanceof RetryableError) || stop.aborted) throw error;
        if (!told) say(`${errorMessage(error)}; waiting for the schema registry (registry.url)`);
        await sleep(backoff.next(), stop);
      }
    }
  }
}

/** The options of a route. @throws ConfigError if the configuration has no such route */
export function requireRoute({ file, routes }: Config, name: string): Config['routes'][number] {
  const route = routes.find((each) => each.name === name);
  if (route !== undefined) return route;
  const names = routes.map((each) => each.name);
  throw usageError(
    'replay',
    names.length === 0
      ? `there is no route ${name}: ${file} has no routes`
      : `${file} has no route ${name}; ${expectedName(name, names)}`,
  );
}
