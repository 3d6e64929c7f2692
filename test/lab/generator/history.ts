import type { OutgoingRecord } from '../../../src/core/model/records.ts';
import type { ExportedSeries } from '../servers/victoriametrics.ts';
import { writeRequest } from './write-request.ts';

const SERVICES = ['cart', 'checkout', 'search', 'payments', 'catalog', 'users', 'mail'];

export interface HistoryOptions {
  readonly series: number;
  readonly scrapes: number;
  readonly stepMs: number;
  /** Time of the first scrape. */
  readonly startMs: number;
  readonly partitions: number;
  readonly seriesPerRecord: number;
}

/**
 * What agents wrote into a topic over some time: each record has two scrapes in a row of some series, so that a range
 * may begin and end within a record. Every value can be told from series and scrape.
 */
export class History {
  readonly #options: HistoryOptions;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  timeOf(scrape: number): number {
    return this.#options.startMs + scrape * this.#options.stepMs;
  }

  /** Eighths, so that no text of it is rounded. */
  static value(series: number, scrape: number): number {
    return ((series * 7919 + scrape * 31) % 1_000_003) / 8;
  }

  static service(series: number): string {
    return SERVICES[series % SERVICES.length]!;
  }

  /** All records in the order in which they came to be. */
  *records(topic: string): Generator<OutgoingRecord> {
    const { series, scrapes, partitions, seriesPerRecord } = this.#options;
    for (let scrape = 0; scrape < scrapes; scrape += 2) {
      for (let first = 0; first < series; first += seriesPerRecord) {
        yield {
          topic,
          partition: (first / seriesPerRecord) % partitions,
          key: null,
          value: this.#body(first, Math.min(series, first + seriesPerRecord), scrape),
          headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
          timestamp: this.timeOf(scrape + 1),
        };
      }
    }
  }

  #body(first: number, end: number, scrape: number): Buffer {
    return writeRequest(
      Array.from({ length: end - first }, (_, at) => first + at).map((series) => ({
        labels: [
          ['__name__', 'http_requests_total'],
          ['id', String(series)],
          ['instance', `10.0.${series >> 8}.${series & 255}:9090`],
          ['service', History.service(series)],
        ],
        samples: [scrape, scrape + 1].map((each) => [this.timeOf(each), History.value(series, each)]),
      })),
    );
  }

  /** Compares what is stored with the scrapes `from` ≤ scrape < `to` of the series that are meant, sample by sample. */
  compare(
    stored: readonly ExportedSeries[],
    from: number,
    to: number,
    isMeant: (series: number) => boolean = () => true,
  ): Comparison {
    const result: Comparison = { right: 0, missing: 0, wrong: 0, foreign: 0, twice: 0, examples: [] };
    const note = (kind: 'missing' | 'wrong' | 'foreign', example: string) => {
      result[kind] += 1;
      if (result.examples.length < 5) result.examples.push(`${kind}: ${example}`);
    };
    const { series: count, stepMs, startMs } = this.#options;
    const seen = new Uint8Array(count * (to - from));
    for (const { metric, timestamps, values } of stored) {
      const series = Number(metric['id']);
      const isOurs = metric['service'] === History.service(series) && series < count && isMeant(series);
      for (const [at, time] of timestamps.entries()) {
        const scrape = (time - startMs) / stepMs;
        const where = () => `${JSON.stringify(metric)} at ${new Date(time).toISOString()}`;
        if (!isOurs || !Number.isInteger(scrape) || scrape < from || scrape >= to) note('foreign', where());
        else if (values[at] !== History.value(series, scrape)) note('wrong', `${where()}: ${values[at]}`);
        else {
          const place = series * (to - from) + scrape - from;
          if (seen[place] === 1) result.twice += 1;
          else result.right += 1;
          seen[place] = 1;
        }
      }
    }
    for (const [place, was] of seen.entries()) {
      if (was === 0 && isMeant(Math.floor(place / (to - from))))
        note('missing', `series ${Math.floor(place / (to - from))}, scrape ${from + (place % (to - from))}`);
    }
    return result;
  }
}

export interface Comparison {
  right: number;
  missing: number;
  /** Another value than it should have. */
  wrong: number;
  /** A series or a time that the range does not have. */
  foreign: number;
  /** Stored once more, with the right value. */
  twice: number;
  readonly examples: string[];
}
