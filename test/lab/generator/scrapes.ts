import { generateSeries } from './generate-series.ts';
import { type SeriesToWrite, writeRequest } from './write-request.ts';

const SERIES_PER_REQUEST = 2_000;
const SCRAPES_A_MINUTE = 4;

/** One request for the ingest topic. */
export interface ScrapeRequest {
  readonly value: Buffer;
  readonly partition: number;
}

export interface ScrapeOptions {
  readonly series: number;
  readonly partitions: number;
  /** Share of the series that is replaced each minute of the data's time, 0 to 1. Scrapes are 15 s apart. */
  readonly churnAMinute?: number;
  readonly firstSeries?: number;
  /** Shuffles the series of a request at each scrape, so that the cache cannot predict the next one. */
  readonly shuffled?: boolean;
}

/**
 * Scrapes of the same series, one after the other, 2,000 series a request; a series keeps its partition.
 *
 * Two bodies of each request alternate, so that values differ from one scrape to the next, and generating them does not
 * take longer than processing them. With churn, new series replace the oldest ones at each scrape.
 */
export class Scrapes {
  readonly #options: ScrapeOptions;
  readonly #bodies = new Map<string, Buffer>();
  #next = 0;

  constructor(options: ScrapeOptions) {
    this.#options = options;
  }

  /** Number of new series in each scrape but the first. */
  get newSeries(): number {
    const { series, churnAMinute = 0 } = this.#options;
    return Math.round((series * churnAMinute) / SCRAPES_A_MINUTE);
  }

  /** The next `count` scrapes. */
  *take(count: number): Generator<ScrapeRequest> {
    const { series, partitions, firstSeries = 0 } = this.#options;
    for (const end = this.#next + count; this.#next < end; this.#next += 1) {
      const from = firstSeries + this.#next * this.newSeries;
      const to = from + series;
      for (let at = from; at < to; ) {
        const request = Math.floor(at / SERIES_PER_REQUEST);
        const last = Math.min(to, (request + 1) * SERIES_PER_REQUEST);
        yield { value: this.#body(at, last - at), partition: request % partitions };
        at = last;
      }
    }
  }

  #body(firstSeries: number, series: number): Buffer {
    const scrape = this.#next % 2;
    const key = `${firstSeries}/${series}/${scrape}`;
    const known = this.#bodies.get(key);
    if (known !== undefined) return known;
    const generated = [...generateSeries({ firstSeries, series, scrape })];
    const body = writeRequest(this.#options.shuffled === true ? shuffled(generated, scrape) : generated);
    if (series === SERIES_PER_REQUEST) this.#bodies.set(key, body);
    return body;
  }
}

function shuffled(series: readonly SeriesToWrite[], seed: number): SeriesToWrite[] {
  const ranked = series.map((one, at) => ({
    one,
    rank: Math.imul(at + 1, seed === 0 ? 0x9e3779b1 : 0x85ebca6b) >>> 0,
  }));
  return ranked.sort((a, b) => a.rank - b.rank).map(({ one }) => one);
}
