import { DEFAULT_LIMITS, type Decoded } from '../../src/core/decode/decoder.ts';
import { otlpDecoder } from '../../src/core/decode/otlp/protobuf.ts';
import { DecoderRegistry } from '../../src/core/decode/registry.ts';
import { PoisonError } from '../../src/core/model/errors.ts';
import { HEADER } from '../../src/core/record/headers.ts';
import { Flags, type FlagValues } from './flags.ts';
import { compareSeries, type ExpectedIngest, RECEIPT_MS } from './ingest-compare.ts';

interface OtlpCase {
  readonly payload_base64: string;
  readonly options: {
    readonly flags?: FlagValues;
    readonly headers?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, readonly string[]>>;
  };
  readonly expected: ExpectedIngest & { readonly metadata?: readonly unknown[] };
}

/**
 * Runs one case of ingest-otlp.json. Where label names repeat, the last one wins, as the vectors' `labels` have it.
 * A record with the content type of JSON is JSON to Penstock, which reads it, while vmagent does not.
 * Returns what differs, or undefined where nothing does.
 */
export function runOtlpCase(testCase: unknown): string | undefined {
  const { payload_base64, options, expected } = testCase as OtlpCase;
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(options.query ?? {}))
    for (const value of values) query.append(name, value);
  const headers = { ...options.headers, ...(query.size > 0 && { [HEADER.query]: query.toString() }) };
  const lastWins = {
    ...expected,
    ...(expected.series && { series: expected.series.map(({ label_list: _, ...series }) => series) }),
  };
  const flags = new Flags(options.flags);
  const decoder = otlpDecoder({
    use_prometheus_naming: flags.bool('opentelemetry.usePrometheusNaming') ?? false,
    convert_metric_names_to_prometheus: flags.bool('opentelemetry.convertMetricNamesToPrometheus') ?? false,
    label_name_underscore_sanitization: flags.bool('opentelemetry.labelNameUnderscoreSanitization') ?? true,
  });
  const maxBytes = flags.bytes('opentelemetry.maxRequestSize') ?? DEFAULT_LIMITS.record_bytes;
  flags.finish();
  let decoded: Decoded;
  try {
    const registry = new DecoderRegistry('otlp', [decoder]);
    decoded = registry.decode(Buffer.from(payload_base64, 'base64'), {
      headers,
      timestamp: RECEIPT_MS,
      limits: { ...DEFAULT_LIMITS, record_bytes: maxBytes },
    });
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
    return compareSeries(Buffer.alloc(0), 1, lastWins);
  }
  return compareSeries(decoded.body, decoded.rejects.length, lastWins);
}
