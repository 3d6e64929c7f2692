import { PoisonError } from '../model/errors.ts';
import { type Compression, decompress, linesBeforeCut } from './content-encoding.ts';
import type { DecodeContext, Decoded, Decoder } from './decoder.ts';
import { RecordBudget } from './record-budget.ts';
import { headerText } from './record-headers.ts';

/** Headers, limits and budget of a record. */
export type OpenContext = Pick<DecodeContext, 'headers' | 'limits' | 'budget'>;

/** A record's bytes, uncompressed, and whether they were cut off. */
export interface Unpacked {
  readonly body: Buffer;
  /** Set if the data was cut off: `body` has the complete lines, `rest` the part of a line after them. */
  readonly cutOff?: { readonly rest: Buffer; readonly error: PoisonError };
}

/** The context with a budget, so that no reader of a record spends more on it than a worker would. */
export function bounded<C extends OpenContext>(value: Buffer, context: C): C {
  if (context.budget !== undefined) return context;
  return { ...context, budget: new RecordBudget(context.limits, value.length) };
}

/** Decompresses by the header, or by the encoding's defaults if it is missing. */
export function unpackAs(header: string, decoder: Decoder, value: Buffer, context: OpenContext): Unpacked {
  if (header !== '') return unpack(header, value, context);
  return unpack(decoder.defaultContentEncoding, value, context, decoder.otherContentEncodings ?? []);
}

export function unpack(
  encoding: string,
  value: Buffer,
  { headers, limits, budget }: OpenContext,
  others?: readonly Compression[],
): Unpacked {
  const bounds = { maxBytes: limits.record_bytes, budget };
  try {
    return { body: decompress(encoding, value, bounds, others) };
  } catch (error) {
    const mayBeCut = error instanceof PoisonError && error.reason === 'gzip';
    if (!mayBeCut || headerText(headers, 'stream-mode') !== '1') throw error;
    const cut = linesBeforeCut(value, bounds);
    if (cut === undefined) throw error;
    return { body: cut.lines, cutOff: { rest: cut.rest, error } };
  }
}

/** Uses the lines before the cut, and sets the part of a line before it aside with the error. */
export function withCut(
  decoded: Decoded,
  decoder: Decoder,
  { rest, error }: { rest: Buffer; error: PoisonError },
): Decoded {
  const message = `${error.message}; the whole lines before that are used`;
  const contentType = decoder.contentTypes[0]!;
  return {
    ...decoded,
    rejects: [...decoded.rejects, { reason: error.reason, message, value: rest, contentType }],
  };
}
