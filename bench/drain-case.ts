import { setTimeout as sleep } from 'node:timers/promises';
import { Scrapes } from '../test/lab/generator/scrapes.ts';
import { HelperProcess } from '../test/lab/helper-process.ts';
import type { Bed } from './bed.ts';
import type { CaseResult } from './case-result.ts';
import { MeasuredProcess, pin } from './measured-process.ts';
import type { ProducerAnswer, ProducerOrder } from './paced-producer.ts';
import { BROKER_CORE, PENSTOCK_CORE } from './worker-cases.ts';

export interface DrainCase {
  readonly name: string;
  readonly series: number;
  readonly samples: number;
  /** Load of the worker that wrote the records, in samples/s. Absent: its maximum, as when it catches up. */
  readonly perSecond?: number;
}

const PARTITIONS = 1;
const POLL_MS = 100;
const WARM_UP_SAMPLES = 400_000;

/**
 * The drain alone: it is stopped while a worker writes, with all tasks on one node, then it catches up. The load
 * decides the size of the records: a step has the samples of 200 ms, divided among 32 tasks.
 */
export async function runDrainCase(bed: Bed, options: DrainCase): Promise<CaseResult> {
  const { name, series } = options;
  const [receiver, url] = await HelperProcess.start<string>('bench/receiver.ts');
  const penstock = await bed.prepare({
    partitions: PARTITIONS,
    delivery: 'exactly_once',
    nodes: [{ name: 'vmagent-0', url }],
  });
  const worker = await MeasuredProcess.start(penstock, 'worker');
  const drain = await MeasuredProcess.start(penstock, 'drain');
  try {
    const scrapes = new Scrapes({ series, partitions: PARTITIONS });
    const warmUp = Math.ceil(WARM_UP_SAMPLES / series);
    await bed.fill(penstock, scrapes.take(warmUp));
    await drain.until(warmUp * series);
    for (const pid of await drain.pids()) pin(pid, PENSTOCK_CORE);
    pin(bed.kafkaPid, BROKER_CORE);
    pin(receiver.pid, BROKER_CORE);
    const samples = Math.ceil(options.samples / series) * series;
    const write = async () => {
      if (options.perSecond === undefined) await bed.fill(penstock, scrapes.take(samples / series));
      else await pace(bed, penstock.raw, series, { perSecond: options.perSecond, upTo: samples });
      await worker.until(warmUp * series + samples);
    };
    return { name, series, partitions: PARTITIONS, ...(await drain.measure(write, samples)) };
  } finally {
    await drain.stop();
    await worker.stop();
    receiver.close();
    await bed.discard(penstock);
  }
}

/** Writes the ordered number of samples at the ordered rate. */
async function pace(bed: Bed, topic: string, series: number, order: ProducerOrder): Promise<void> {
  const args = [bed.brokers.join(), topic, String(PARTITIONS), String(series)];
  const [producer] = await HelperProcess.start('bench/paced-producer.ts', args);
  for (let written = 0; written < order.upTo; ) {
    ({ written } = await producer.ask<ProducerAnswer>(order));
    await sleep(POLL_MS);
  }
  producer.close();
}
