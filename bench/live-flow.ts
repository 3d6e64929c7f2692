import type { Deployment } from '../test/lab/deployment/deployment.ts';
import { HelperProcess } from '../test/lab/helper-process.ts';
import type { Bed } from './bed.ts';
import { MeasuredProcess } from './measured-process.ts';

/** Producer ▸ worker ▸ drain ▸ receiver, each a process of its own, none pinned to a core. */
export interface LiveFlow {
  readonly penstock: Deployment;
  readonly receiver: HelperProcess;
  readonly producer: HelperProcess;
  readonly worker: MeasuredProcess;
  readonly drain: MeasuredProcess;
  stop(): Promise<void>;
}

export interface LiveFlowOptions {
  readonly series: number;
  readonly partitions: number;
  /** Fills the ingest topic before anything runs. */
  readonly fill?: (penstock: Deployment) => Promise<void>;
}

export async function startLiveFlow(
  bed: Bed,
  { series, partitions, fill }: LiveFlowOptions,
): Promise<LiveFlow> {
  const [receiver, url] = await HelperProcess.start<string>('bench/receiver.ts');
  const nodes = [{ name: 'vmagent-0', url }];
  const penstock = await bed.prepare({ partitions, delivery: 'exactly_once', nodes });
  await fill?.(penstock);
  const args = [bed.brokers.join(), penstock.raw, String(partitions), String(series)];
  const [producer] = await HelperProcess.start('bench/paced-producer.ts', args);
  const worker = await MeasuredProcess.start(penstock, 'worker');
  const drain = await MeasuredProcess.start(penstock, 'drain');
  return {
    penstock,
    receiver,
    producer,
    worker,
    drain,
    async stop() {
      producer.close();
      await drain.stop();
      await worker.stop();
      receiver.close();
      await bed.discard(penstock);
    },
  };
}
