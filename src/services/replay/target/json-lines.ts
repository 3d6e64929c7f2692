import type { Labels } from '../../../core/model/labels.ts';
import { quoted } from '../../../core/model/printable.ts';
import { LabelBlock } from '../../../core/wire/label-block.ts';
import { type SeriesBytes, samplesOf } from '../../../core/wire/series-walk.ts';

const NO_LIMITS = { labels_per_series: 0, label_name_bytes: 0, label_value_bytes: 0 };

/**
 * TimeSeries ▸ lines as VictoriaMetrics exports and imports them (docs.victoriametrics.com, "How to import data in JSON
 * line format"): `{"metric":{"__name__":"up"},"values":[1],"timestamps":[1700000000000]}`, times in ms since the epoch.
 *
 * NaN is null there, so a stale marker becomes a plain NaN; infinities are words. Exemplars have no place.
 */
export class JsonLines {
  readonly #block = new LabelBlock();

  /**
   * The line of a series that has been checked, with its newline; undefined if it has no samples. The format has no
   * place for native histograms.
   * Throws PoisonError if the labels cannot be used (see LabelBlock.decode).
   */
  line(series: SeriesBytes): string | undefined {
    const { bytes, view, start, labelsEnd, tail } = series;
    this.#block.decode(bytes, start, labelsEnd, NO_LIMITS, view);
    if (tail.samples === 0) return undefined;
    const samples = [...samplesOf(series)];
    const values = samples.map(({ value }) => jsonValue(value)).join();
    const times = samples.map(({ timestamp }) => timestamp).join();
    return `{"metric":${jsonLabels(this.#block.labels)},"values":[${values}],"timestamps":[${times}]}\n`;
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
