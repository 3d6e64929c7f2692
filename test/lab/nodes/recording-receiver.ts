import { samplesOf } from '../truth/task-samples.ts';
import { HttpNode } from './http-node.ts';

/** Keeps every sample, and counts repeats. */
export class RecordingReceiver extends HttpNode {
  /** `series@time` ▸ value. */
  readonly samples = new Map<string, number>();
  /** Number of samples that came again. */
  repeated = 0;

  static open(): Promise<RecordingReceiver> {
    return new RecordingReceiver().listen();
  }

  protected async answer(value: Buffer): Promise<number> {
    const found = samplesOf([{ value }]);
    this.repeated += found.repeated;
    for (const [key, sample] of found.samples) {
      if (this.samples.has(key)) this.repeated += 1;
      this.samples.set(key, sample);
    }
    return 204;
  }
}
