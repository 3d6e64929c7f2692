import type { DecodeOptions } from '../../src/core/decode/decode-options.ts';
import { DEFAULT_LIMITS, type Decoded } from '../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../src/core/decode/registry.ts';
import { PoisonError } from '../../src/core/model/errors.ts';
import { HEADER } from '../../src/core/record/headers.ts';
import type { Flags, FlagValues } from './flags.ts';
import {
  compareMetadata,
  compareSeries,
  type ExpectedIngest,
  type ExpectedMetadata,
  RECEIPT_MS,
} from './ingest-compare.ts';

/** A case of the ingest vectors whose bodies are text. */
export interface IngestTextCase {
  readonly payload_utf8?: string;
  readonly payload_base64?: string;
  readonly options: {
    readonly query?: Readonly<Record<string, readonly string[]>>;
    readonly headers?: Readonly<Record<string, string>>;
    readonly path?: string;
    readonly flags?: FlagValues;
  };
  readonly expected: ExpectedIngest & { readonly metadata?: readonly ExpectedMetadata[] };
}

export interface IngestTextRun {
  /** Name of the decoder. */
  readonly encoding: string;
  readonly decode?: DecodeOptions;
  /** What `null` stands for, in ms. */
  readonly receiptMs?: number;
  /** Largest body; undefined is Penstock's default. */
  readonly maxBytes?: number | undefined;
}

const EMPTY: Decoded = { body: Buffer.alloc(0), rejects: [] };

/**
 * Runs one case through the registry, as a record would go: HTTP's headers are record headers, its URL arguments and
 * path are the headers that stand for them. Returns what differs, or undefined.
 *
 * @throws Error if the case has flags that the runner did not ask for
 */
export function runIngestText(
  testCase: IngestTextCase,
  flags: Flags,
  run: IngestTextRun,
): string | undefined {
  flags.finish();
  const { payload_utf8: text, payload_base64: base64, options, expected } = testCase;
  const value = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text);
  const registry = new DecoderRegistry(run.encoding, createDecoders(run.decode));
  const query = new URLSearchParams(
    Object.entries(options.query ?? {}).flatMap(([name, values]) =>
      values.map((each): [string, string] => [name, each]),
    ),
  );
  const headers = {
    ...options.headers,
    ...(options.query && { [HEADER.query]: query.toString() }),
    ...(options.path && { [HEADER.path]: options.path }),
  };
  const limits =
    run.maxBytes === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, record_bytes: run.maxBytes };
  let decoded = EMPTY;
  let refused = 0;
  try {
    decoded = registry.decode(value, { headers, timestamp: RECEIPT_MS, limits });
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
    refused = 1;
  }
  const receiptMs = run.receiptMs ?? RECEIPT_MS;
  return (
    compareSeries(decoded.body, decoded.rejects.length + refused, expected, { receiptMs }) ??
    compareMetadata(decoded.body, expected.metadata)
  );
}

/** The time of receipt cut to a multiple of `unitMs`. */
export function receiptCutTo(unitMs: number): number {
  return RECEIPT_MS - (RECEIPT_MS % unitMs);
}
