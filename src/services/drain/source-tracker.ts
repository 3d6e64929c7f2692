import type { RecordHeaders } from '../../core/record/headers.ts';
import { readTaskRecordSource, type TaskRecordSource } from '../../core/record/task-record.ts';

/** `repeated`: source records that were in this task before. `missing`: not every part of a step is there. */
export type SourceFault = 'repeated' | 'missing';

/** Most sources tracked: records name them, and may name any number. The one seen longest ago is dropped. */
const MOST_SOURCES = 10_000;
const MOST_REPLAY_ID = 200;

/**
 * Follows the sources that the records of one task partition name.
 *
 * Each source partition writes its steps in order, so its ranges must ascend without overlap. A task that gets
 * nothing from a step has no record of it: a gap between ranges means nothing. A step of several parts must be
 * whole. What came before the first record seen is not known, so reading on from a committed offset is no fault.
 */
export class SourceTracker {
  readonly #latest = new Map<string, TaskRecordSource>();

  /** Faults of the next record. Records without the header, of other writers, are passed over. */
  next(headers: RecordHeaders): SourceFault[] {
    const position = readTaskRecordSource(headers);
    // A replay reads the source again, beside the worker: a sequence of its own.
    if (position === undefined || position.replay.length > MOST_REPLAY_ID) return [];
    const from = `${position.replay} ${position.topicPartition}`;
    const before = this.#latest.get(from);
    const repeated = before !== undefined && isRepeat(before, position);
    if (!repeated) this.#remember(from, position);
    if (before === undefined) return [];
    if (repeated) return ['repeated'];
    return isBroken(before, position) ? ['missing'] : [];
  }

  #remember(from: string, position: TaskRecordSource): void {
    this.#latest.delete(from);
    this.#latest.set(from, position);
    if (this.#latest.size <= MOST_SOURCES) return;
    for (const oldest of this.#latest.keys()) {
      this.#latest.delete(oldest);
      return;
    }
  }
}

function isRepeat(before: TaskRecordSource, next: TaskRecordSource): boolean {
  const sameStep = next.first === before.first && next.last === before.last;
  return sameStep ? next.part <= before.part : next.first <= before.last;
}

function isBroken(before: TaskRecordSource, next: TaskRecordSource): boolean {
  if (next.first === before.first) return next.part !== before.part + 1;
  return before.part !== before.parts || next.part !== 1;
}
