import { modulo } from '../../../core/hash/jump.ts';
import { SeriesKey } from '../../../core/hash/series-key.ts';
import { xxh64Into } from '../../../core/hash/xxhash64.ts';
import type { Labels } from '../../../core/model/labels.ts';
import { SeriesCache } from '../../../core/pipeline/series-cache.ts';
import { ENTRY, EntryBuilder } from '../../../core/pipeline/series-entry.ts';
import { LabelBlock, type LabelLimits } from '../../../core/wire/label-block.ts';
import type { SeriesBytes } from '../../../core/wire/series-walk.ts';
import type { FieldBudget } from '../../../core/wire/write-request.ts';

/** Selects series by their labels as received. */
export interface SeriesChoiceOptions {
  /** A series is taken if any selector matches; without selectors every series is. */
  readonly match?: readonly { matches(labels: Labels): boolean }[];
  /** Takes one series in this many; 1 takes all. */
  readonly sample?: number;
}

/** No limits on labels that are only read: the route that a series goes to checks them. */
const NO_LIMITS: LabelLimits = { labels_per_series: 0, label_name_bytes: 0, label_value_bytes: 0 };
const CACHE_BYTES = 64 * 1024 * 1024;
/** Cost of a new series in the record's budget: some 4 µs, more for long labels. */
const NEW_UNITS = 8;
const BYTES_A_UNIT = 100;
/** Salt of the hashed key, so that a sample does not coincide with tasks, which come from the same hash. */
const SALT = 'penstock replay --sample';

/**
 * Decides series by series, and caches decisions by the raw label bytes, as the pipeline does. A sample of one series
 * in n takes whole series: xxHash64 of salt and series key (core/hash/series-key.ts), modulo n, is 0.
 */
export class SeriesChoice {
  readonly #match: NonNullable<SeriesChoiceOptions['match']>;
  readonly #oneOf: number;
  readonly #block = new LabelBlock();
  readonly #entry = new EntryBuilder();
  readonly #key = new SeriesKey();
  readonly #hash = new Uint32Array(2);
  readonly #cache: SeriesCache | undefined;
  #previous = -1;

  constructor({ match = [], sample = 1 }: SeriesChoiceOptions) {
    this.#match = match;
    this.#oneOf = sample;
    if (this.takesAll) return;
    this.#cache = new SeriesCache({ bytes: CACHE_BYTES, seed: Math.floor(Math.random() * 2 ** 32) });
  }

  /** Every series is taken: labels are not read. */
  get takesAll(): boolean {
    return this.#match.length === 0 && this.#oneOf === 1;
  }

  /**
   * Whether to take a series; no label field may be behind the first ones.
   * Throws PoisonError if the labels cannot be used (see LabelBlock.decode), or the budget is used up.
   */
  takes(series: SeriesBytes, budget: FieldBudget): boolean {
    const cache = this.#cache;
    if (cache === undefined) return true;
    const { bytes, view, start, labelsEnd, end } = series;
    if (
      !cache.next(this.#previous, view, start, end) &&
      !cache.find(this.#previous, view, start, labelsEnd)
    ) {
      budget.spend(NEW_UNITS + (labelsEnd - start) / BYTES_A_UNIT);
      this.#block.decode(bytes, start, labelsEnd, NO_LIMITS, view);
      this.#entry.begin(view, start, labelsEnd - start);
      if (!this.#decide(this.#block.labels)) this.#entry.addDropped(0);
      cache.insert(this.#previous, this.#entry);
    }
    this.#previous = cache.slot;
    return cache.words[cache.word + ENTRY.routes] === 0;
  }

  #decide(labels: Labels): boolean {
    if (this.#match.length > 0 && !this.#match.some((selector) => selector.matches(labels))) return false;
    if (this.#oneOf === 1) return true;
    const salted = [{ name: '', value: SALT }, ...labels];
    this.#key.writeIdentity(salted);
    xxh64Into(this.#key.bytes, 0, this.#key.length, this.#hash);
    return modulo(this.#hash[0]!, this.#hash[1]!, this.#oneOf) === 0;
  }
}
