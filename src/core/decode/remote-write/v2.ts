import { PoisonError } from '../../model/errors.ts';
import { BYTES, ProtobufReader } from '../../wire/protobuf-reader.ts';
import { ByteRanges } from '../byte-ranges.ts';
import type { DecodeContext, Decoded, Decoder } from '../decoder.ts';
import { largestOutput } from '../output-limit.ts';
import { type RecordBudget, refusesRecord } from '../record-budget.ts';
import { Uncarried } from '../uncarried.ts';
import { BadSeries } from './v2-rejects.ts';
import { SeriesWriter } from './v2-series.ts';

/** Fields of io.prometheus.write.v2.Request. 1 to 3 are those of remote write 1.0 and reserved. */
export const REQUEST = { symbols: 4, timeseries: 5 } as const;
const TAG_SYMBOL = REQUEST.symbols * 8 + BYTES;
const TAG_TIMESERIES = REQUEST.timeseries * 8 + BYTES;

/**
 * Remote write 2.0 (prometheus.io/docs/specs/prw/remote_write_spec_2_0, io/prometheus/write/v2/types.proto).
 *
 * Labels are resolved from the symbol table; samples, exemplars and native histograms are written as the messages of
 * 1.0, values bit for bit. A series that cannot be resolved is set aside with its symbols, and so is an exemplar.
 * Counted, since 1.0 has no place for them: `metadata`, `start_timestamp` (of series, samples and histograms, created
 * timestamps included) and `unknown_field`.
 */
export const remoteWriteV2: Decoder = {
  name: 'remote_write_v2',
  contentTypes: ['application/x-protobuf'],
  protos: ['io.prometheus.write.v2.Request'],
  defaultContentEncoding: 'snappy',
  decode,
};

function decode(body: Buffer, context: DecodeContext): Decoded {
  const symbols = new ByteRanges();
  const series = new ByteRanges();
  const uncarried = new Uncarried();
  const rejects = new BadSeries(body, symbols);
  const { budget } = context;
  readFraming(body, symbols, series, uncarried, rejects, budget);
  budget?.series(series.count);

  const writer = new SeriesWriter(body, symbols, uncarried, largestOutput(body.length, context), budget);
  for (let i = 0; i < series.count; i++) {
    const start = series.start(i);
    const end = series.end(i);
    budget?.spend();
    try {
      const badExemplars = writer.write(start, end);
      if (badExemplars) rejects.addExemplars(badExemplars, start, end);
    } catch (error) {
      if (!(error instanceof PoisonError) || refusesRecord(error)) throw error;
      budget?.fault();
      rejects.addSeries(error, start, end);
    }
  }
  return { body: writer.finish(), rejects: rejects.close(), ...uncarried.field };
}

/** Finds symbols and series, which may come in any order. Throws PoisonError `protobuf` if the framing is broken. */
function readFraming(
  body: Buffer,
  symbols: ByteRanges,
  series: ByteRanges,
  uncarried: Uncarried,
  rejects: BadSeries,
  budget: RecordBudget | undefined,
): void {
  const reader = new ProtobufReader(body);
  while (reader.position < body.length) {
    budget?.spend(0.1);
    // Fast path for nearly all fields: a symbol or a series below 16 KiB, whose length takes one or two bytes.
    const at = reader.position;
    const tag = body[at]!;
    if ((tag === TAG_SYMBOL || tag === TAG_TIMESERIES) && at + 2 < body.length) {
      const low = body[at + 1]!;
      const high = body[at + 2]!;
      let start = -1;
      let end = -1;
      if (low < 0x80) {
        start = at + 2;
        end = start + low;
      } else if (high < 0x80) {
        start = at + 3;
        end = start + ((low & 0x7f) | (high << 7));
      }
      if (start >= 0 && end <= body.length) {
        if (tag === TAG_SYMBOL) symbols.add(start, end);
        else series.add(start, end);
        reader.position = end;
        continue;
      }
    }
    reader.next();
    if (reader.field === REQUEST.symbols) {
      reader.expect(BYTES, 'Request.symbols');
      symbols.add(reader.block(), reader.position);
    } else if (reader.field === REQUEST.timeseries) {
      reader.expect(BYTES, 'Request.timeseries');
      series.add(reader.block(), reader.position);
    } else {
      reader.skip();
      if (reader.field <= 3) rejects.addVersion1(reader.fieldStart, reader.position);
      else uncarried.add('unknown_field');
    }
  }
}
