import { formatSeries, type Labels } from '../model/labels.ts';
import type { Scrape } from './fleet.ts';

/** A series and all samples written of it, in order of time. */
export interface WrittenSeries {
  readonly labels: Labels;
  /** Milliseconds since the epoch. */
  readonly timestamps: number[];
  /** NaN is a stale marker. */
  readonly values: number[];
}

/** Figures of one service, or of all. */
export interface WrittenCounts {
  samples: number;
  /** Distinct series of the whole run. */
  series: number;
  pods: number;
}

/**
 * Ground truth of a run: counts of what was written and, if wanted, the samples.
 *
 * Kept samples stay in memory: about 16 bytes each.
 */
export class Written {
  readonly total: WrittenCounts = { samples: 0, series: 0, pods: 0 };
  /** By `namespace/service`. */
  readonly groups = new Map<string, WrittenCounts>();
  readonly #pods = new Set<string>();
  readonly #kept: Map<string, WrittenSeries> | undefined;

  constructor({ keepSamples }: { keepSamples: boolean }) {
    this.#kept = keepSamples ? new Map() : undefined;
  }

  /** Every series with its samples; none unless samples are kept. */
  get series(): IterableIterator<WrittenSeries> {
    return (this.#kept ?? new Map<string, WrittenSeries>()).values();
  }

  /** Adds a scrape whose samples have been written. */
  add({ pod, timestampMs, series, stale }: Scrape): void {
    const { namespace, name } = pod.service;
    const key = `${namespace}/${name}`;
    const group = this.groups.get(key) ?? { samples: 0, series: 0, pods: 0 };
    this.groups.set(key, group);
    const isNew = !this.#pods.has(pod.name);
    this.#pods.add(pod.name);
    for (const counts of [group, this.total]) {
      counts.samples += series.length;
      if (isNew) {
        counts.series += series.length;
        counts.pods += 1;
      }
    }
    if (this.#kept === undefined) return;
    for (const { labels, value } of series) {
      const id = formatSeries(labels);
      const kept = this.#kept.get(id) ?? { labels, timestamps: [], values: [] };
      this.#kept.set(id, kept);
      kept.timestamps.push(timestampMs);
      kept.values.push(stale ? Number.NaN : value);
    }
  }
}

/** A series as one line of VictoriaMetrics' JSON line format (/api/v1/export); a stale marker becomes null. */
export function formatWritten({ labels, timestamps, values }: WrittenSeries): string {
  const metric = Object.fromEntries(labels.map(({ name, value }) => [name, value]));
  return JSON.stringify({ metric, values, timestamps });
}
