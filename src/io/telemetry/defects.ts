import { errorMessage } from '../../core/model/errors.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Most stacks remembered, so that each is logged once. Further ones are counted, but not logged. */
const MOST_STACKS = 100;

/** The record that led to the defect. */
export interface DefectPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Reports records set aside because of a bug in Penstock: each is counted, each stack is logged once. */
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

/** Stacks reported so far. */
export class Stacks {
  readonly #known = new Set<string>();

  /** The stack of the error's cause, if not reported yet; marks it as reported. */
  unknown(error: Error): string | undefined {
    const cause = error.cause ?? error;
    const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    // The first lines are left out: they are the message, which may quote the record.
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
    const key = frames.length > 0 ? frames.join('\n') : stack.slice(0, 200);
    if (this.#known.has(key) || this.#known.size >= MOST_STACKS) return undefined;
    this.#known.add(key);
    return stack;
  }
}
