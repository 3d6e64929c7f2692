import { PoisonError } from '../../../core/model/errors.ts';
import { seriesOf } from '../../../core/wire/series-walk.ts';
import { uncompress } from '../../../core/wire/snappy.ts';
import type { Journal } from '../journal.ts';
import { JsonLines } from './json-lines.ts';
import type { LineOutput } from './line-file.ts';
import type { BodySource } from './remote-write-bodies.ts';
import { Tally } from './tally.ts';
import type { ReplayCounts, ReplayStep, ReplayTarget } from './target.ts';

/** Lines are handed to the output once they have this many characters. */
const WRITE_CHARACTERS = 1024 * 1024;
const MAX_BODY_BYTES = 0xffffffff;

/**
 * JSON lines, one per series and record (json-lines.ts). The length of the file is stored with the positions: when the
 * file is opened again, what a predecessor wrote behind it is cut off, so the file holds every sample once.
 */
export class FileTarget implements ReplayTarget {
  readonly #output: LineOutput;
  readonly #bodies: BodySource;
  readonly #journal: Pick<Journal, 'commit'>;
  readonly #lines = new JsonLines();
  #waiting: string[] = [];
  #characters = 0;

  constructor(output: LineOutput, bodies: BodySource, journal: Pick<Journal, 'commit'>) {
    this.#output = output;
    this.#bodies = bodies;
    this.#journal = journal;
  }

  async write({ chunks, positions }: ReplayStep): Promise<ReplayCounts> {
    const tally = new Tally();
    for (const { records } of chunks) {
      for (const { body } of this.#bodies.of(records, tally)) {
        this.#takeIn(uncompressed(body, tally), tally);
        if (this.#characters >= WRITE_CHARACTERS) await this.#flush();
      }
      tally.records += records.length;
    }
    await this.#flush();
    await this.#output.sync();
    await this.#journal.commit({ positions, counts: tally, extra: { bytes: this.#output.bytes } });
    return tally;
  }

  async close(): Promise<void> {
    await this.#output.close();
  }

  #takeIn(body: Buffer, tally: Tally): void {
    for (const series of seriesOf(body)) {
      try {
        const line = this.#lines.line(series);
        const { samples, histograms } = series.tail;
        tally.samples += samples;
        if (histograms > 0) tally.refuse('native_histogram', histograms);
        if (line === undefined) continue;
        this.#waiting.push(line);
        this.#characters += line.length;
      } catch (error) {
        if (!(error instanceof PoisonError)) throw error;
        tally.refuse(error.reason);
      }
    }
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
