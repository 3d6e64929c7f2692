import { setTimeout as sleep } from 'node:timers/promises';
import { Scrapes } from '../test/lab/generator/scrapes.ts';
import { HelperProcess } from '../test/lab/helper-process.ts';
import type { Bed } from './bed.ts';
import type { CaseResult, Latency } from './case-result.ts';
import { startLiveFlow } from './live-flow.ts';
import type { ProducerAnswer } from './paced-producer.ts';
import { ReplayProcess } from './replay-process.ts';

const PARTITIONS = 4;
/** Pause after the start of the load, or of the replay. */
const SETTLE_MS = 5_000;

export interface ReplayLatencyOptions {
  readonly series: number;
  /** Samples per second of the live flow, and of the replay (`--rate`). */
  readonly live: number;
  readonly rate: number;
  /** Duration of each measurement of the latency. */
  readonly seconds: number;
}

/**
 * Latency of a live flow, from producer to receiver: without a replay, beside one of the same topic, and without again.
 * The replay writes to a receiver of its own. Nothing is pinned to a core.
 */
export async function runReplayLatencyCase(bed: Bed, options: ReplayLatencyOptions): Promise<CaseResult[]> {
  const { series, live, rate, seconds } = options;
  const [storage, storageUrl] = await HelperProcess.start<string>('bench/receiver.ts');
  // With a margin: the replay must not end during the measurement.
  const history = Math.ceil((rate * (seconds + (2 * SETTLE_MS) / 1000 + 5)) / series) * series;
  const scrapes = new Scrapes({ series, partitions: PARTITIONS });
  const flow = await startLiveFlow(bed, {
    series,
    partitions: PARTITIONS,
    fill: (penstock) => bed.fill(penstock, scrapes.take(history / series)),
  });
  const { penstock, receiver, producer, drain } = flow;
  try {
    await drain.until(history);
    await producer.ask<ProducerAnswer>({ perSecond: live, upTo: Number.POSITIVE_INFINITY });
    const measure = async (name: string, replay?: ReplayProcess): Promise<CaseResult> => {
      await sleep(SETTLE_MS);
      const before = await replay?.read();
      receiver.tell('reset');
      await sleep(seconds * 1000);
      const latencyMs = await receiver.ask<Latency>('report');
      const result = { name, series, partitions: PARTITIONS, samplesPerSecond: live, latencyMs };
      if (replay === undefined) return result;
      const after = await replay.read();
      if (before === undefined || after === undefined || !replay.running)
        throw new Error('the replay began too late, or ended too early, to be measured');
      const perSecond = (after.samples - before.samples) / (after.wallSeconds - before.wallSeconds);
      return { ...result, note: `--rate ${rate}: ${Math.round(perSecond)} samples/s meanwhile` };
    };
    const results = [await measure('latency without a replay')];
    const args = [
      ...['--topic', penstock.raw, '--from', '-1h'],
      ...['--to-storage', storageUrl, '--rate', String(rate)],
    ];
    const replay = await ReplayProcess.start(args, penstock);
    try {
      await replay.begun();
      results.push(await measure('latency beside a replay', replay));
    } finally {
      await replay.kill();
    }
    results.push(await measure('latency after the replay'));
    return results;
  } finally {
    await flow.stop();
    storage.close();
  }
}
