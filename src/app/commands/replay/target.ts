import type { DecoderRegistry } from '../../../core/decode/registry.ts';
import type { ConfigError } from '../../../core/model/errors.ts';
import { expectedName } from '../../../core/model/nearest.ts';
import { isUnencrypted, unencrypted } from '../../../core/options/insecure.ts';
import { Pipeline } from '../../../core/pipeline/pipeline.ts';
import { RECORD_FRAME_BYTES } from '../../../core/record/dead-letter.ts';
import { compileSelector } from '../../../core/relabel/selector/selector.ts';
import { compileRoutes } from '../../../core/route/route.ts';
import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../../io/kafka/client/connection.ts';
import { StepSize } from '../../../io/kafka/produce/step-size.ts';
import type { Journal } from '../../../services/replay/journal.ts';
import { Selection, type SelectionOptions } from '../../../services/replay/plan/selection.ts';
import type { ReplaySpec } from '../../../services/replay/spec.ts';
import { FileTarget } from '../../../services/replay/target/file-target.ts';
import { LineFile, type LineOutput, LineStream } from '../../../services/replay/target/line-file.ts';
import { RawBodies } from '../../../services/replay/target/raw-bodies.ts';
import type { BodySource } from '../../../services/replay/target/remote-write-bodies.ts';
import { RetryNotes } from '../../../services/replay/target/retry-notes.ts';
import { RouteTarget } from '../../../services/replay/target/route-target.ts';
import { RoutedBodies } from '../../../services/replay/target/routed-bodies.ts';
import { StorageTarget, type StorageTargetOptions } from '../../../services/replay/target/storage-target.ts';
import { NO_COUNTS } from '../../../services/replay/target/tally.ts';
import type { ReplayTarget } from '../../../services/replay/target/target.ts';
import type { Config } from '../../config/load.ts';
import { usageError } from '../command.ts';
import { defectNotes } from '../defect-notes.ts';
import { version } from '../version.ts';

/** Largest request with relabeled series, in bytes. */
const ROUTED_BODY_BYTES = 1024 * 1024;

/** Dependencies of a target. */
export interface TargetContext {
  readonly config: Config;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly spec: ReplaySpec;
  /** Decoders of the source topic. The schemas that a step needs are fetched before the target gets it. */
  readonly decoders: DecoderRegistry;
  /** Most requests in flight at once. */
  readonly concurrency: number;
  /** Part of it may be written already. */
  readonly resumed: boolean;
  /** Aborted when the replay is to stop: a target that cannot write gives up and throws. */
  readonly stop: AbortSignal;
  /** Aborted when the replay is to end at once: a target that waits or retries gives up and throws. */
  readonly ending: AbortSignal;
  /** Prints one line on standard error. */
  readonly say: (message: string) => void;
}

/**
 * Opens the target, at the start and after each error, each time with a newly opened journal. State that must live
 * longer, such as caches and decoders, belongs outside of it.
 */
export type OpenTarget = (journal: Journal) => Promise<ReplayTarget>;

/**
 * Prepares the target of a replay.
 *
 * @throws ConfigError, FatalKafkaError if the target cannot be used, with what to do; nothing has been written then
 */
export async function targetFor(context: TargetContext): Promise<OpenTarget> {
  const { target } = context.spec;
  switch (target.kind) {
    case 'route': {
      const onDefect = defectNotes(context.say);
      const selection = selectionOf({ ...context, onDefect });
      const size = new StepSize(context.config.worker.transaction_timeout);
      const maxBytes = (await context.admin.maxMessageBytes([target.topic])).get(target.topic)!;
      const pipeline = routePipeline(context, target.route, {
        topic: target.topic,
        maxRecordBytes: maxBytes - RECORD_FRAME_BYTES,
      });
      return async (journal) => new RouteTarget(pipeline, selection, journal, { size, onDefect });
    }
    case 'storage': {
      const bodies = bodiesOf(context, target.route);
      const options = storageOptions(context, target.url);
      return async (journal) => new StorageTarget(options, bodies, journal);
    }
    case 'file': {
      const bodies = bodiesOf(context, target.route);
      if (!context.resumed && target.file !== '-') await LineFile.requireNew(target.file);
      return async (journal) => new FileTarget(await openLines(target.file, journal), bodies, journal);
    }
  }
}

/** Request bodies with series as received, or as relabeled by a route. */
function bodiesOf(context: TargetContext, route: string | undefined): BodySource {
  const onDefect = defectNotes(context.say);
  const selection = selectionOf({ ...context, onDefect });
  const { tenant_headers, limits } = context.config.worker;
  if (route === undefined) return new RawBodies(selection, tenant_headers, limits.tenant_bytes);
  const pipeline = routePipeline(context, route, { topic: '', maxRecordBytes: ROUTED_BODY_BYTES });
  return new RoutedBodies(pipeline, selection, onDefect);
}

function storageOptions(
  { config, concurrency, stop, ending, say }: TargetContext,
  url: string,
): StorageTargetOptions {
  const { username, password, bearer_token, allow_insecure, request_timeout, backoff_min, backoff_max, tls } =
    config.replay.storage;
  const login = bearer_token === undefined ? password : bearer_token;
  if (login !== undefined && isUnencrypted(url) && !allow_insecure) {
    const what = bearer_token === undefined ? 'the password' : 'the token';
    throw usageError('replay', `--to-storage: ${unencrypted(what, 'replay.storage.allow_insecure')}`);
  }
  const notes = new RetryNotes(say);
  return {
    url,
    concurrency,
    timeoutMs: request_timeout,
    backoffMinMs: backoff_min,
    backoffMaxMs: backoff_max,
    userAgent: `penstock/${version()}`,
    login: { bearer_token, ...(username === undefined ? {} : { basic_auth: { username, password } }) },
    ...(url.startsWith('https:') ? { tls } : {}),
    signal: ending,
    stop,
    onRetry: (error) => notes.retried(error),
    onTaken: () => notes.taken(),
    onRefusal: ({ message }) => say(`a series is refused for good: ${message}; others like it are counted`),
  };
}

/** A file is continued at the length stored in the journal; standard output is simply continued. */
async function openLines(file: string, journal: Journal): Promise<LineOutput> {
  if (file === '-') return new LineStream(process.stdout);
  const lines = await LineFile.open(file, journal.extra['bytes']);
  // From now on the file belongs to this replay, whatever it contains.
  await journal.commit({ positions: new Map(), counts: NO_COUNTS, extra: { bytes: lines.bytes } });
  return lines;
}

/** Selection of the source's series and samples that the replay asks for. */
export function selectionOf({
  config,
  spec,
  decoders,
  onDefect,
}: Pick<TargetContext, 'config' | 'spec' | 'decoders'> & {
  readonly onDefect: NonNullable<SelectionOptions['onDefect']>;
}): Selection {
  const { match = [], sample, fromMs, toMs } = spec;
  const { limits, tenant_headers: tenantHeaders } = config.worker;
  return new Selection(
    {
      match: match.map(compileSelector),
      ...(sample === undefined ? {} : { oneOf: sample }),
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(toMs === undefined ? {} : { toMs }),
      limits,
      tenantHeaders,
      onDefect,
    },
    decoders,
  );
}

/**
 * A pipeline with one route of the configuration, writing to `topic`. Samples may have any age: those of a replay are
 * old.
 *
 * @throws ConfigError if the configuration has no such route
 */
export function routePipeline(
  { config, decoders }: Pick<TargetContext, 'config' | 'decoders'>,
  name: string,
  output: { readonly topic: string; readonly maxRecordBytes: number },
): Pipeline {
  const route = compileRoutes(config).find((each) => each.name === name);
  if (route === undefined) throw noSuchRoute(config, name);
  const { series_cache_bytes: cacheBytes, tenant_headers: tenantHeaders, limits } = config.worker;
  return new Pipeline({
    routes: [{ ...route, index: 0, topic: output.topic }],
    cacheBytes,
    maxRecordBytes: () => output.maxRecordBytes,
    limits: { ...limits, max_age: 0, max_future: 0 },
    tenantHeaders,
    decoders: () => decoders,
  });
}

export function noSuchRoute({ file, routes }: Config, name: string): ConfigError {
  const names = routes.map((route) => route.name);
  return usageError(
    'replay',
    names.length === 0
      ? `there is no route ${name}: ${file} has no routes`
      : `${file} has no route ${name}; ${expectedName(name, names)}`,
  );
}
