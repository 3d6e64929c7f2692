import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_LIMITS, type Decoded } from '../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../src/core/decode/registry.ts';
import { PoisonError } from '../../src/core/model/errors.ts';
import { decodeWriteRequest } from '../lab/truth/prompb.ts';
import { Flags, type FlagValues } from './flags.ts';
import { type ExpectedSeries, normalizeDecoded, normalizeExpected } from './remote-write-series.ts';

interface ExpectedV2Series extends ExpectedSeries {
  /** The series could not be decoded. */
  readonly error?: string;
  readonly exemplars?: readonly (NonNullable<ExpectedSeries['exemplars']>[number] & { error?: string })[];
  readonly metadata?: Record<string, unknown>;
}

interface RemoteWriteV2Case {
  readonly payload_base64: string;
  readonly options?: { readonly flags?: FlagValues };
  readonly expected: { readonly error: string } | { readonly series: readonly ExpectedV2Series[] };
}

const registry = new DecoderRegistry('remote_write_v2');

/**
 * Runs one case of ingest-remote-write-v2.json: what the decoder gives must be what the engine's plain decoding gave,
 * label order aside (the engine sorts). What 1.0 has no place for must be in `uncarried`; series and exemplars that
 * the engine could not decode must be rejects. Headers are left out, as `expected` leaves them out.
 * Returns what differs, or undefined where nothing does.
 */
export function runRemoteWriteV2Case(testCase: unknown): string | undefined {
  const { payload_base64, options, expected } = testCase as RemoteWriteV2Case;
  new Flags(options?.flags).finish();
  let decoded: Decoded;
  try {
    const context = { headers: {}, timestamp: 0, limits: DEFAULT_LIMITS };
    decoded = registry.decode(Buffer.from(payload_base64, 'base64'), context);
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
    return 'error' in expected ? undefined : `refused with ${error.reason}: ${error.message}`;
  }
  const rejects = decoded.rejects.filter(({ reason }) => reason !== 'wrong_version');
  if ('error' in expected) {
    return rejects.length > 0 ? undefined : `accepted; expected an error: ${expected.error}`;
  }

  const good = expected.series.filter((series) => series.error === undefined);
  const wanted = good.map((series) => {
    const exemplars = series.exemplars?.filter((exemplar) => exemplar.error === undefined);
    return sorted(normalizeExpected({ ...series, exemplars: exemplars ?? [] }));
  });
  const got = decodeWriteRequest(decoded.body).series.map((series) => sorted(normalizeDecoded(series)));
  if (!isDeepStrictEqual(got, wanted)) {
    return `decoded ${JSON.stringify(got)}; expected ${JSON.stringify(wanted)}`;
  }
  const badExemplars = good.some((series) => series.exemplars?.some(({ error }) => error !== undefined));
  const bad = new Set(rejects.map(({ reason }) => (reason === 'exemplar' ? reason : 'series')));
  const wantedBad = new Set([
    ...(good.length < expected.series.length ? ['series'] : []),
    ...(badExemplars ? ['exemplar'] : []),
  ]);
  if (!isDeepStrictEqual(bad, wantedBad)) {
    return `rejects ${JSON.stringify(rejects.map(({ message }) => message))}; expected ${[...wantedBad]}`;
  }
  return compareUncarried(decoded, good);
}

function compareUncarried(decoded: Decoded, series: readonly ExpectedV2Series[]): string | undefined {
  let startTimestamps = 0;
  let metadata = 0;
  for (const { samples, histograms = [], metadata: described } of series) {
    startTimestamps += samples.filter((sample) => Number(sample[2] ?? 0) !== 0).length;
    startTimestamps += histograms.filter(({ start_timestamp }) => Number(start_timestamp ?? 0) !== 0).length;
    if (described) metadata++;
  }
  const got = { start_timestamp: 0, metadata: 0, ...decoded.uncarried };
  if (got.start_timestamp !== startTimestamps) {
    return `${got.start_timestamp} start timestamps counted; expected ${startTimestamps}`;
  }
  return got.metadata === metadata ? undefined : `${got.metadata} metadata counted; expected ${metadata}`;
}

type Normalized = ReturnType<typeof normalizeDecoded> | ReturnType<typeof normalizeExpected>;

/** Labels in order of their names; fields of histograms that the two protocols name differently made alike. */
function sorted(series: Normalized) {
  const labels = [...series.labels].sort(([a = ''], [b = '']) => (a < b ? -1 : Number(a > b)));
  const histograms = series.histograms.map((histogram) => {
    const { start_timestamp: _, ...rest } = histogram as Record<string, unknown>;
    return { ...rest, reset_hint: rest['reset_hint'] === 'unspecified' ? 'unknown' : rest['reset_hint'] };
  });
  return { ...series, labels, histograms };
}
