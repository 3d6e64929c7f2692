import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { OffsetGap } from '../../io/kafka/range/range-reader.ts';
import type { ProgressSnapshot } from './progress.ts';
import type { ReplayCounts } from './target/target.ts';

/** Metrics of a replay, of this process alone. docs/reference/metrics.md lists them for operators. */
export class ReplayMetrics {
  readonly registry = new Registry();
  readonly #records = this.#counter('records_total', 'Records of the range that are done.');
  readonly #samples = this.#counter('samples_total', 'Samples written to the target.');
  readonly #leftOut = this.#counter(
    'left_out_samples_total',
    'Samples left out: by --match, --sample or the time range, or by the route.',
  );
  readonly #refused = this.#counter(
    'refused_total',
    'Records and series that could not be used, by reason; the replay writes no dead letters.',
    ['reason'],
  );
  readonly #retries = this.#counter('retries_total', 'Times that it began again after an error.');
  readonly #gaps = this.#counter(
    'gap_records_total',
    'Records that retention took before they were replayed.',
  );
  readonly #lag = this.#gauge('lag_records', 'Offsets between the position and the end of the range.', [
    'partition',
  ]);
  readonly #share = this.#gauge('done_ratio', 'Share of the range that is done, 0 to 1.');
  readonly #yielding = this.#gauge('yielding', '1 while it waits for the live flow (--yield-lag).');

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  written({ records, samples, leftOut, refused }: ReplayCounts): void {
    this.#records.inc(records);
    this.#samples.inc(samples);
    this.#leftOut.inc(leftOut);
    for (const [reason, count] of refused) this.#refused.inc({ reason }, count);
  }

  retried(): void {
    this.#retries.inc();
  }

  gap({ from, to }: OffsetGap): void {
    this.#gaps.inc(Number(to - from));
  }

  /** Brings the gauges up to date, before a scrape. */
  collect({ share, behind }: ProgressSnapshot, yielding: boolean): void {
    this.#share.set(share);
    this.#yielding.set(yielding ? 1 : 0);
    this.#lag.reset();
    for (const { partition, offsets } of behind) this.#lag.set({ partition: String(partition) }, offsets);
  }

  #counter<L extends string = never>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name: `penstock_replay_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge<L extends string = never>(name: string, help: string, labelNames: L[] = []): Gauge<L> {
    return new Gauge({ name: `penstock_replay_${name}`, help, labelNames, registers: [this.registry] });
  }
}
