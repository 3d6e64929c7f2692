import { startVictoriaMetrics, startVmagent } from '../test/support/servers/victoriametrics.ts';
import type { Bed, BedOptions, BenchRequest } from './bed.ts';
import { generateWriteRequests } from './generate-series.ts';
import { MeasuredProcess, pin, type Usage } from './measured-process.ts';

const BROKER_CORE = 0;
const PENSTOCK_CORE = 1;
const SERIES_PER_REQUEST = 2_000;

/** One measured case: the table's row, and the JSON document's entry. What a case does not measure is absent. */
export interface CaseResult extends Pick<Usage, 'cpuMicrosPerSample' | 'samples'> {
  readonly samplesPerSecond?: number;
  readonly peakMib?: number;
  readonly name: string;
  readonly series: number;
  readonly partitions?: number;
}

export interface WorkerCase {
  readonly name: string;
  readonly series: number;
  readonly partitions: number;
  readonly delivery: BedOptions['delivery'];
  /** `warm`: each series is known when the measurement begins. `cold`: each is new. */
  readonly kind: 'warm' | 'cold';
  /** Samples that are measured, at least. */
  readonly samples: number;
  readonly relabel?: readonly unknown[];
  readonly cacheMib?: number;
}

/** Scrapes of the same series, one after the other; a partition always gets the same series. */
function* scrapes(options: { series: number; partitions: number; count: number }): Generator<BenchRequest> {
  const { series, partitions, count } = options;
  for (let scrape = 0; scrape < count; scrape += 1) {
    let index = 0;
    for (const { value } of generateWriteRequests({ series, scrape, seriesPerRequest: SERIES_PER_REQUEST })) {
      yield { value, partition: index++ % partitions };
    }
  }
}

/** The worker alone: the topic is filled first, then the worker catches up with all of it. */
export async function runWorkerCase(bed: Bed, options: WorkerCase): Promise<CaseResult> {
  const { name, series, partitions } = options;
  const { configFile, raw } = await bed.prepare(options);
  const warmUp = options.kind === 'warm' ? 1 : 0;
  const count = warmUp + Math.max(1, Math.ceil(options.samples / series));
  await bed.fill(raw, scrapes({ series, partitions, count }));
  const worker = await MeasuredProcess.start('worker', configFile, 'publish');
  try {
    pin(worker.pid, PENSTOCK_CORE);
    pin(bed.kafkaPid, BROKER_CORE);
    const from = warmUp === 0 ? await worker.read() : await worker.until(series);
    const to = await worker.until(series * count);
    return { name, series, partitions, ...worker.usage(from, to) };
  } finally {
    await worker.stop();
  }
}

/** The drain alone: a worker fills the task topic, then the drain of the one node catches up, into a real vmagent. */
export async function runDrainCase(
  bed: Bed,
  options: { name: string; series: number; samples: number },
): Promise<CaseResult> {
  const { name, series, samples } = options;
  const storage = await startVictoriaMetrics();
  const agent = await startVmagent({ remoteWriteUrl: `${storage.url}/api/v1/write` });
  try {
    const { configFile, raw } = await bed.prepare({
      partitions: 1,
      delivery: 'exactly_once',
      nodes: [{ name: 'vmagent-0', url: agent.url }],
    });
    const count = Math.ceil(samples / series);
    await bed.fill(raw, scrapes({ series, partitions: 1, count }));
    const worker = await MeasuredProcess.start('worker', configFile, 'publish');
    await worker.until(series * count);
    await worker.stop();
    const drain = await MeasuredProcess.start('drain', configFile, 'deliver');
    const from = await drain.until(1);
    const to = await drain.until(series * count);
    const usage = drain.usage(from, to);
    await drain.stop();
    return { name, series, partitions: 1, ...usage };
  } finally {
    await agent.close();
    await storage.close();
  }
}
