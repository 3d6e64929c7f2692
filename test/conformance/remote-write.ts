import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_LIMITS } from '../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../src/core/decode/registry.ts';
import { errorMessage } from '../../src/core/model/errors.ts';
import { Pipeline } from '../../src/core/pipeline/pipeline.ts';
import { decodeWriteRequest, type PlainRequest } from '../lab/truth/prompb.ts';
import { PASS_ROUTE } from '../support/pass-route.ts';
import { Flags, type FlagValues } from './flags.ts';
import { type ExpectedSeries, normalizeDecoded, normalizeExpected } from './remote-write-series.ts';

interface RemoteWriteV1Case {
  readonly payload_base64: string;
  readonly options?: { readonly flags?: FlagValues };
  readonly expected:
    | { readonly error: string }
    | { readonly series: readonly ExpectedSeries[]; readonly metadata?: readonly Record<string, unknown>[] };
}

/** Series that Penstock sets aside although their bytes can be decoded. */
const REFUSED = ['duplicate_label', 'no_labels', 'empty_label_name'];

/**
 * Runs one case of ingest-remote-write-v1.json: what the decoder gives must be what the engine's plain decoding gave.
 * Headers are left out, as the `expected` of these vectors leaves them out. The body goes through the whole pipeline
 * too: what it sends on must be the same, and each series that it does not send must be in a dead letter.
 * Returns what differs, or undefined where nothing does.
 */
export function runRemoteWriteV1Case(testCase: unknown): string | undefined {
  const { payload_base64, options, expected } = testCase as RemoteWriteV1Case;
  new Flags(options?.flags).finish();
  const value = Buffer.from(payload_base64, 'base64');
  const registry = new DecoderRegistry('remote_write_v1');
  const limit = { cacheBytes: 0, maxRecordBytes: () => 1_000_000 };
  const pipeline = new Pipeline({ routes: [PASS_ROUTE], decoders: () => registry, ...limit });
  const step = pipeline.begin();
  step.process({ value, headers: {}, timestamp: 0, topic: 'raw', partition: 0, offset: 0n });
  const { records, dead, counts } = step.finish();

  if ('error' in expected) {
    return dead.length > 0 ? undefined : `accepted; expected an error: ${expected.error}`;
  }
  const fault = dead.find(({ reason }) => !REFUSED.includes(reason));
  if (fault) return `refused with ${fault.reason}: ${fault.message}`;

  let decoded: PlainRequest;
  try {
    const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
    decoded = decodeWriteRequest(new DecoderRegistry('remote_write_v1').decode(value, context).body);
  } catch (error) {
    return `the decoder's result cannot be read: ${errorMessage(error)}`;
  }
  const wanted = expected.series.map(normalizeExpected);
  const got = decoded.series.map(normalizeDecoded);
  if (!isDeepStrictEqual(got, wanted)) return difference('decoded', got, wanted);
  if (counts.metadata !== (expected.metadata?.length ?? 0)) return `${counts.metadata} metadata counted`;

  // What the pipeline sends on: the same series, but for those set aside, with the task label added.
  const sent = records.flatMap((record) => {
    const body = new DecoderRegistry().decode(record.value, {
      headers: {},
      timestamp: 0,
      limits: DEFAULT_LIMITS,
    }).body;
    return decodeWriteRequest(body).series.map(normalizeDecoded);
  });
  const usable = wanted.filter(isUsable).map((series) => ({
    ...series,
    labels: [...series.labels, ['stream_task_id', '0']].sort(byName),
  }));
  const sorted = sent.map((series) => ({ ...series, labels: [...series.labels].sort(byName) }));
  if (!isDeepStrictEqual(sorted, usable)) return difference('sent on', sorted, usable);
  const setAside = dead.reduce((sum, { series }) => sum + series, 0);
  const unusable = wanted.length - usable.length;
  return setAside === unusable ? undefined : `${setAside} series set aside; expected ${unusable}`;
}

function isUsable({ labels }: { labels: readonly (readonly string[])[] }): boolean {
  const names = labels.map(([name]) => name);
  return names.length > 0 && !names.includes('') && new Set(names).size === names.length;
}

function byName([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function difference(what: string, got: unknown, wanted: unknown): string {
  return `${what} ${JSON.stringify(got)}; expected ${JSON.stringify(wanted)}`;
}
