/** Records for the tests of connections: enough groups for every task. */

import type { Deployment } from '../../lab/deployment/deployment.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';

export const ROUTE = { name: 'all', task: { labels: ['service', 'namespace'], count: 4 } };

const SERIES = 28;
const FIRST_MS = 1_760_000_000_000;

/** What was produced for one deployment so far. */
export class Produced {
  readonly #penstock: Deployment;
  readonly #series = trueSeries(SERIES);
  #rounds = 0;

  constructor(penstock: Deployment) {
    this.#penstock = penstock;
  }

  get samples(): number {
    return this.#rounds * SERIES;
  }

  /** One more sample of every series. */
  async more(): Promise<void> {
    const body = scrape(this.#series, FIRST_MS + this.#rounds * 1000, this.#rounds);
    this.#rounds += 1;
    await this.#penstock.produce([body]);
  }

  /** Number of samples in the task topic, and how many of them are repeated. */
  async arrived(): Promise<{ samples: number; repeated: number }> {
    await this.#penstock.workersDone();
    const { samples, repeated } = samplesOf(await this.#penstock.read(this.#penstock.topic(ROUTE.name)));
    return { samples: samples.size, repeated };
  }
}
