import { errorMessage } from '../../core/model/errors.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Stacks that are remembered, so that each is logged once. More different defects than this are not told apart. */
const MOST_STACKS = 100;

/** Where in Kafka it happened. */
export interface DefectPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Tells of records that are set aside because Penstock has a defect: each is counted, each stack is logged once. */
export class Defects {
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #stacks = new Stacks();

  constructor(metrics: Metrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  report({ topic, partition, offset }: DefectPlace, error: Error): void {
    this.#metrics.defects.inc({ topic });
    const stack = this.#stacks.unknown(error);
    if (stack === undefined) return;
    this.#log.error(
      { topic, partition, offset: String(offset), error: errorMessage(error), stack },
      'a defect of Penstock: a record that leads to it again and again is set aside, the others go on; please report it with this stack',
    );
  }
}

/** Stacks that were told already. */
export class Stacks {
  readonly #known = new Set<string>();

  /** The stack of what caused the error, where it was not told yet; from now on it is. */
  unknown(error: Error): string | undefined {
    const cause = error.cause ?? error;
    const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    // Without its first lines, which are the message and may quote the record.
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
    const key = frames.length > 0 ? frames.join('\n') : stack.slice(0, 200);
    if (this.#known.has(key) || this.#known.size >= MOST_STACKS) return undefined;
    this.#known.add(key);
    return stack;
  }
}
