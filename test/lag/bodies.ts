import { Fleet } from '../../src/core/generate/fleet.ts';
import { compress } from '../../src/core/wire/snappy.ts';
import { WriteRequestBuilder } from '../../src/core/wire/write-request-builder.ts';

/** Prometheus' default for the most samples in a request (`max_samples_per_send`). */
export const SERIES_PER_BODY = 2_000;

/** Remote write 1.0 requests, snappy, of an invented fleet of pods with `series` series; no two share one. */
export function makeBodies(series: number): Buffer[] {
  const count = Math.ceil(series / SERIES_PER_BODY);
  const fleet = new Fleet({
    series: count * SERIES_PER_BODY,
    seed: 1,
    intervalMs: 10_000,
    startMs: Date.now(),
  });
  const bodies: Buffer[] = [];
  const builder = new WriteRequestBuilder();
  let written = 0;
  while (bodies.length < count) {
    const { series, timestampMs } = fleet.next();
    for (const { labels, value } of series) {
      builder.beginSeries();
      for (const label of labels) builder.label(label.name, label.value);
      builder.sample(value, timestampMs);
      builder.endSeries();
      written += 1;
      if (written % SERIES_PER_BODY === 0) bodies.push(compress(builder.finish()));
    }
  }
  return bodies.slice(0, count);
}
