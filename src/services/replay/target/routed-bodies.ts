import type { StepRun } from '../../../core/pipeline/careful-step.ts';
import type { Pipeline } from '../../../core/pipeline/pipeline.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';
import type { Selection } from '../plan/selection.ts';
import type { BodySource, RemoteWriteBody } from './remote-write-bodies.ts';
import { routeChunk } from './route-target.ts';
import { Tally } from './tally.ts';

/** Series as the one route of a pipeline makes them: matched, relabeled, with the task label; one body a task. */
export class RoutedBodies implements BodySource {
  readonly #pipeline: Pipeline;
  readonly #selection: Selection;
  readonly #onDefect: StepRun['onDefect'] | undefined;

  /** @param onDefect told of each record that is refused because Penstock has a defect */
  constructor(pipeline: Pipeline, selection: Selection, onDefect?: StepRun['onDefect']) {
    this.#pipeline = pipeline;
    this.#selection = selection;
    this.#onDefect = onDefect;
  }

  *of(records: readonly FetchedRecord[], tally: Tally): Generator<RemoteWriteBody> {
    const { partition } = records[0] ?? { partition: 0 };
    const routed = new Tally();
    const made = routeChunk({ partition, records }, this.#pipeline, this.#selection, routed, this.#onDefect);
    tally.leftOut += routed.leftOut;
    tally.refuseAll(routed.refused);
    for (const { value, samples, tenant } of made) {
      const headers = Object.fromEntries(
        Object.entries(tenant.headers).map(([name, text]) => [name, text.toString()]),
      );
      yield { body: value, headers, samples };
    }
  }
}
