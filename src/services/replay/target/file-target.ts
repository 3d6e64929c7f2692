import { PoisonError } from '../../../core/model/errors.ts';
import type { Labels } from '../../../core/model/labels.ts';
import { quoted } from '../../../core/model/printable.ts';
import { LabelBlock } from '../../../core/wire/label-block.ts';
import { type SeriesBytes, samplesOf, seriesOf } from '../../../core/wire/series-walk.ts';
import { uncompress } from '../../../core/wire/snappy.ts';
import type { Journal } from '../journal.ts';
import type { LineOutput } from './line-file.ts';
import type { BodySource } from './remote-write-bodies.ts';
import { type ReplayCounts, type ReplayStep, type ReplayTarget, Tally } from './target.ts';

/** Lines are handed to the output once they have this many characters. */
const WRITE_CHARACTERS = 1024 * 1024;
const MAX_BODY_BYTES = 0xffffffff;
const NO_LIMITS = { labels_per_series: 0, label_name_bytes: 0, label_value_bytes: 0 };

/**
 * JSON lines as VictoriaMetrics exports and imports them (docs.victoriametrics.com, "How to import data in JSON line
 * format"), one per series and record: `{"metric":{"__name__":"up"},"values":[1],"timestamps":[1700000000000]}`, times
 * in ms since the epoch. NaN is null there, so a stale marker becomes a plain NaN; infinities are words. Exemplars and
 * native histograms have no place.
 *
 * The length of the file is stored with the positions: when the file is opened again, what a predecessor wrote behind
 * it is cut off, so the file holds every sample once.
 */
export class FileTarget implements ReplayTarget {
  readonly #output: LineOutput;
  readonly #bodies: BodySource;
  readonly #journal: Pick<Journal, 'store'>;
  readonly #block = new LabelBlock();
  #waiting: string[] = [];
  #characters = 0;

  constructor(output: LineOutput, bodies: BodySource, journal: Pick<Journal, 'store'>) {
    this.#output = output;
    this.#bodies = bodies;
    this.#journal = journal;
  }

  async write({ chunks, positions }: ReplayStep): Promise<ReplayCounts> {
    const tally = new Tally();
    for (const { records } of chunks) {
      for (const { body } of this.#bodies(records, tally)) {
        this.#takeIn(uncompressed(body, tally), tally);
        if (this.#characters >= WRITE_CHARACTERS) await this.#flush();
      }
      tally.records += records.length;
    }
    await this.#flush();
    await this.#output.sync();
    await this.#journal.store({ positions, counts: tally, extra: { bytes: this.#output.bytes } });
    return tally;
  }

  async close(): Promise<void> {
    await this.#output.close();
  }

  #takeIn(body: Buffer, tally: Tally): void {
    for (const series of seriesOf(body)) {
      try {
        const line = this.#line(series);
        tally.samples += series.tail.samples;
        tally.refuse('native_histogram', series.tail.histograms);
        if (line === undefined) continue;
        this.#waiting.push(line);
        this.#characters += line.length;
      } catch (error) {
        if (!(error instanceof PoisonError)) throw error;
        tally.refuse(error.reason);
      }
    }
  }

  /** With its newline; undefined if the series has no samples. @throws PoisonError if its labels cannot be used */
  #line(series: SeriesBytes): string | undefined {
    const { bytes, view, start, labelsEnd, tail } = series;
    this.#block.decode(bytes, start, labelsEnd, NO_LIMITS, view);
    if (tail.samples === 0) return undefined;
    const samples = [...samplesOf(series)];
    const values = samples.map(({ value }) => jsonValue(value)).join();
    const times = samples.map(({ timestamp }) => timestamp).join();
    return `{"metric":${jsonLabels(this.#block.labels)},"values":[${values}],"timestamps":[${times}]}\n`;
  }

  async #flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const text = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#characters = 0;
    await this.#output.write(text);
  }
}

/** The body, uncompressed; empty if it is broken, as that of a task record may be which was damaged later. */
function uncompressed(body: Buffer, tally: Tally): Buffer {
  try {
    const plain = uncompress(body, MAX_BODY_BYTES);
    for (const _ of seriesOf(plain)); // a body that breaks further on is refused as a whole
    return plain;
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error;
    tally.refuse(error.reason);
    return Buffer.alloc(0);
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
