import { Scrapes } from '../test/lab/generator/scrapes.ts';
import { HelperProcess } from '../test/lab/helper-process.ts';
import { startVictoriaMetrics } from '../test/lab/servers/victoriametrics.ts';
import { type Bed, ROUTE } from './bed.ts';
import type { CaseResult } from './case-result.ts';
import { MeasuredProcess, pin } from './measured-process.ts';
import { ReplayProcess } from './replay-process.ts';
import { BROKER_CORE, PENSTOCK_CORE } from './worker-cases.ts';

const PARTITIONS = 4;
const WARM_UP_SAMPLES = 400_000;

export interface ReplayCase {
  readonly series: number;
  /** Samples of the range. */
  readonly samples: number;
}

/**
 * `penstock replay --to-storage` alone, on a core of its own: ingest records into a receiver that accepts everything,
 * and into a VictoriaMetrics, which sets the pace; and records of a task topic, whose headers have the number of
 * samples.
 */
export async function runReplayCases(bed: Bed, { series, samples }: ReplayCase): Promise<CaseResult[]> {
  const [receiver, url] = await HelperProcess.start<string>('bench/receiver.ts');
  const storage = await startVictoriaMetrics();
  const penstock = await bed.prepare({ partitions: PARTITIONS, delivery: 'exactly_once' });
  try {
    const scrapes = new Scrapes({ series, partitions: PARTITIONS });
    await bed.fill(penstock, scrapes.take(Math.ceil((samples + WARM_UP_SAMPLES) / series)));
    const worker = await MeasuredProcess.start(penstock, 'worker');
    await worker.until(samples + WARM_UP_SAMPLES);
    await worker.stop();
    pin(bed.kafkaPid, BROKER_CORE);
    pin(receiver.pid, BROKER_CORE);
    const results: CaseResult[] = [];
    const cases = [
      { name: 'replay raw to storage', topic: penstock.raw, to: url },
      { name: 'replay raw to VictoriaMetrics', topic: penstock.raw, to: storage.remoteWriteUrl },
      { name: 'replay task records to storage', topic: penstock.topic(ROUTE), to: url },
    ];
    for (const { name, topic, to } of cases) {
      const args = ['--topic', topic, '--from', '-1h', '--to-storage', to];
      const replay = await ReplayProcess.start(args, penstock, PENSTOCK_CORE);
      results.push({
        name,
        series,
        partitions: PARTITIONS,
        ...(await replay.usage(WARM_UP_SAMPLES, samples)),
      });
    }
    return results;
  } finally {
    receiver.close();
    await storage.close();
    await bed.discard(penstock);
  }
}
