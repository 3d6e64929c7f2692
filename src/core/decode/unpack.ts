import { PoisonError } from '../model/errors.ts';
import { type Compression, decompress, linesBeforeCut } from './content-encoding.ts';
import type { DecodeContext, Decoded, Decoder } from './decoder.ts';
import { RecordBudget } from './record-budget.ts';
import { headerText } from './record-headers.ts';

/** Headers and limits of a record, and what reading it may cost. */
export type OpenContext = Pick<DecodeContext, 'headers' | 'limits' | 'budget'>;

/** A record's bytes uncompressed, and what there is to say of them. */
export interface Unpacked {
  readonly body: Buffer;
  /** The body is the lines before a cut, and this is the part of a line behind them. */
  readonly cutOff?: { readonly rest: Buffer; readonly error: PoisonError };
}

/** The context with a budget: whoever reads a record, it may not cost more than a worker would spend on it. */
export function bounded<C extends OpenContext>(value: Buffer, context: C): C {
  if (context.budget !== undefined) return context;
  return { ...context, budget: new RecordBudget(context.limits, value.length) };
}

/** By the header, or where it is missing by what the encoding says. */
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

/** The lines before the cut are used; that there is one, and the part of a line before it, is set aside. */
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
