import { setTimeout as sleep } from 'node:timers/promises';
import type { Bed } from './bed.ts';
import type { CaseResult, Latency } from './case-result.ts';
import { startLiveFlow } from './live-flow.ts';
import type { Reading } from './measured-process.ts';
import type { ProducerAnswer } from './paced-producer.ts';

const PARTITIONS = 4;
const LOADS = [0.1, 0.5, 0.9];
/** Samples in flight at full load: enough that worker and drain always have work. */
const BACKLOG = 1_000_000;
const POLL_MS = 100;

export interface LatencyOptions {
  readonly series: number;
  /** How long full load and each part of it are measured. */
  readonly seconds: number;
}

/**
 * Latency from producer to receiver. Full load is the throughput of the same processes in the same run, with a constant
 * backlog.
 */
export async function runLatencyCases(bed: Bed, options: LatencyOptions): Promise<CaseResult[]> {
  const { series, seconds } = options;
  const flow = await startLiveFlow(bed, { series, partitions: PARTITIONS });
  const { receiver, producer, worker, drain } = flow;
  const write = (perSecond: number, upTo: number) => producer.ask<ProducerAnswer>({ perSecond, upTo });
  const results: CaseResult[] = [];
  try {
    await Promise.all([worker.ready(), drain.ready()]);
    /** Keeps a backlog for `seconds`, and reads the drain before and after. */
    const saturate = async (): Promise<[Reading, Reading]> => {
      const from = await drain.read();
      for (let now = from; ; now = await drain.read()) {
        if (now.wallSeconds - from.wallSeconds > seconds) return [from, now];
        await write(Number.POSITIVE_INFINITY, now.samples + BACKLOG);
        await sleep(POLL_MS);
      }
    };
    /** Waits until everything written is delivered. */
    const empty = async () => {
      let before = -1;
      for (;;) {
        const { written } = await write(Number.POSITIVE_INFINITY, 0);
        const { samples } = await drain.read();
        if (samples === written && written === before) return;
        before = written;
        await sleep(POLL_MS);
      }
    };
    await saturate();
    const [from, to] = await saturate();
    const full = (to.samples - from.samples) / (to.wallSeconds - from.wallSeconds);
    await empty();
    results.push({ name: 'full load', series, partitions: PARTITIONS, samplesPerSecond: full });
    for (const load of LOADS) {
      const perSecond = full * load;
      await write(perSecond, Number.POSITIVE_INFINITY);
      await sleep(3_000);
      receiver.tell('reset');
      const before = await Promise.all([worker.read(), drain.read()]);
      await sleep(seconds * 1_000);
      const latencyMs = await receiver.ask<Latency>('report');
      const after = await Promise.all([worker.read(), drain.read()]);
      await empty();
      const [cpuOfWorker, cpuOfDrain] = before.map((reading, at) => cores(reading, after[at]!));
      const delivered = after[1].samples - before[1].samples;
      results.push({
        name: `latency at ${load * 100} % load`,
        series,
        partitions: PARTITIONS,
        samples: delivered,
        samplesPerSecond: delivered / (after[1].wallSeconds - before[1].wallSeconds),
        samplesPerRecord: delivered / (after[1].records - before[1].records),
        latencyMs,
        note: `cores used: worker ${cpuOfWorker}, drain ${cpuOfDrain}; longest ${latencyMs.max} ms`,
      });
    }
    return results;
  } finally {
    await flow.stop();
  }
}

function cores(from: Reading, to: Reading): string {
  return ((to.cpuSeconds - from.cpuSeconds) / (to.wallSeconds - from.wallSeconds)).toFixed(2);
}
