import type { DecoderRegistry } from '../../../core/decode/registry.ts';
import type { SchemaId } from '../../../core/decode/schema/writer-schema.ts';
import { topicDecoders } from '../../../core/decode/topic-decoders.ts';
import { errorMessage, RetryableError } from '../../../core/model/errors.ts';
import type { RangeStep } from '../../../io/kafka/range/range-reader.ts';
import { RegistryClient } from '../../../io/registry/client.ts';
import { SchemaStore } from '../../../io/registry/store.ts';
import { Backoff, sleep } from '../../../io/time/sleep.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import { NamedSchemas } from '../../../services/worker/schema-wait.ts';
import type { Config } from '../../config/load.ts';

const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 10_000;

/** The decoders of a topic, and the means to fetch the schemas they need. */
export interface SourceDecoders {
  readonly decoders: DecoderRegistry;
  /** Fetches the schemas of a step's records; waits for a registry that is away, until `stop`. */
  readonly prepare?: (step: RangeStep, stop: AbortSignal) => Promise<void>;
  close(): Promise<void>;
}

export function sourceDecoders(
  config: Config,
  topic: string,
  say: (message: string) => void,
): SourceDecoders {
  const { worker, registry } = config;
  const { url } = registry;
  const [first, ...others] = ingestTopics(worker);
  if (url === undefined)
    return { decoders: topicDecoders([first, ...others])(topic), close: async () => undefined };
  const client = new RegistryClient({ ...registry, url });
  const schemas = new SchemaStore((id) => client.fetch(id), { missingTtlMs: registry.missing_ttl });
  const decoders = topicDecoders([{ ...first, schemas }, ...others.map((each) => ({ ...each, schemas }))])(
    topic,
  );
  return {
    decoders,
    prepare: async (step, stop) => {
      const ids = idsOf(step, decoders, config);
      const backoff = new Backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
      for (let told = false; ; told = true) {
        try {
          return await schemas.ensure(ids);
        } catch (error) {
          if (!(error instanceof RetryableError) || stop.aborted) throw error;
          if (!told) say(`${errorMessage(error)}; waiting for the schema registry (registry.url)`);
          await sleep(backoff.next(), stop);
        }
      }
    },
    close: () => client.close(),
  };
}

function idsOf({ chunks }: RangeStep, decoders: DecoderRegistry, { worker }: Config): readonly SchemaId[] {
  const named = new NamedSchemas();
  for (const { records } of chunks) {
    for (const record of records) named.look(record, decoders, worker.limits);
  }
  return named.ids;
}
