import type { Labels } from '../../../core/model/labels.ts';
import { quoted } from '../../../core/model/printable.ts';
import { LabelBlock } from '../../../core/wire/label-block.ts';
import { ProtobufReader } from '../../../core/wire/protobuf-reader.ts';
import { SAMPLE, TIME_SERIES } from '../../../core/wire/write-request.ts';

const NO_LIMITS = { labels_per_series: 0, label_name_bytes: 0, label_value_bytes: 0 };

/** One series of a WriteRequest as a line of text. */
export interface JsonLine {
  /** With its newline. Undefined if the series has no samples. */
  readonly line: string | undefined;
  readonly samples: number;
  /** Native histograms, for which the format has no place. */
  readonly histograms: number;
}

/**
 * TimeSeries ▸ lines as VictoriaMetrics exports and imports them (docs.victoriametrics.com, "How to import data in JSON
 * line format"): `{"metric":{"__name__":"up"},"values":[1],"timestamps":[1700000000000]}`, times in ms since the epoch.
 *
 * NaN is null there, so a stale marker becomes a plain NaN; infinities are words. Exemplars have no place.
 */
export class JsonLines {
  readonly #block = new LabelBlock();

  /**
   * The series in `[start, end)`, its label fields in `[start, labelsEnd)`; fields have been checked.
   * Throws PoisonError if the labels cannot be used (see LabelBlock.decode).
   */
  series(body: Buffer, start: number, labelsEnd: number, end: number): JsonLine {
    this.#block.decode(body, start, labelsEnd, NO_LIMITS);
    const values: string[] = [];
    const times: string[] = [];
    let histograms = 0;
    for (const fields = new ProtobufReader(body, labelsEnd, end); fields.next(); ) {
      if (fields.field === TIME_SERIES.histograms) histograms++;
      if (fields.field !== TIME_SERIES.samples) {
        fields.skip();
        continue;
      }
      let value = 0;
      let time = 0n;
      for (const sample = fields.message(); sample.next(); ) {
        if (sample.field === SAMPLE.value) value = sample.double();
        else if (sample.field === SAMPLE.timestamp) time = sample.int64();
        else sample.skip();
      }
      values.push(jsonValue(value));
      times.push(String(time));
    }
    const samples = values.length;
    if (samples === 0) return { line: undefined, samples, histograms };
    const metric = jsonLabels(this.#block.labels);
    const line = `{"metric":${metric},"values":[${values.join()}],"timestamps":[${times.join()}]}\n`;
    return { line, samples, histograms };
  }
}

/** Not by JSON.stringify of an object: it reorders numeric keys, and escapes less than a terminal needs. */
function jsonLabels(labels: Labels): string {
  return `{${labels.map(({ name, value }) => `${quoted(name)}:${quoted(value)}`).join()}}`;
}

function jsonValue(value: number): string {
  if (Number.isNaN(value)) return 'null';
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"';
  return Object.is(value, -0) ? '-0' : String(value);
}
