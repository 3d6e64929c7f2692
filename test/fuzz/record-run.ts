import type { FetchedRecord } from '../../src/io/kafka/partition-queue.ts';
import { cpuOf, MOST_MEMORY, MOST_MS, PeakMemory } from './cost.ts';
import { createReaders, type Outcome, type Reader } from './readers.ts';
import { mayBeLarge, recordInput } from './record-inputs.ts';

/** What one input cost in one reader. */
export interface Cost {
  readonly index: number;
  readonly reader: string;
  /** Of the input as received. */
  readonly bytes: number;
  /** Milliseconds of CPU, or bytes of memory. */
  readonly cost: number;
}

export interface Failure extends Cost {
  readonly what: string;
}

export interface RunSummary {
  inputs: number;
  readonly outcomes: Record<Outcome, number>;
  slowest: Cost;
  largest: Cost;
  readonly failures: Failure[];
}

const NO_COST: Cost = { index: -1, reader: '', bytes: 0, cost: 0 };
/** Inputs between two looks at the high-water mark of memory. */
const INPUTS_A_LOOK = 32;
const MOST_FAILURES = 5;
/** Readers that look at records in their own way. */
const OTHERS: ReadonlySet<string> = new Set(['decode', 'replay', 'dead', 'drain']);

/** An input, and the place of its reader. */
interface Reading {
  readonly index: number;
  readonly reader: number;
}

/**
 * Feeds readers with the inputs of a seed and holds each to three rules: it throws nothing, it takes at most 2 s of CPU
 * time, and at most 400 MiB of memory.
 *
 * Memory is judged in two steps. What an input takes is no more than the process has at most, less what it has with
 * nothing to do. So where that difference stays within the bound no input of the last few was over it. Else it may be
 * garbage of those before: then each of them is read again, from a heap without garbage, and judged alone.
 */
export class RecordRun {
  readonly summary: RunSummary = {
    inputs: 0,
    outcomes: { taken: 0, part: 0, refused: 0 },
    slowest: NO_COST,
    largest: NO_COST,
    failures: [],
  };
  readonly #seed: number;
  readonly #onReading: () => void;
  #readers: readonly Reader[] = createReaders();
  readonly #memory = new PeakMemory();
  #idle: number;
  #recent: Reading[] = [];

  /** @param onReading called before each reading of an input */
  constructor(seed: number, onReading: () => void = () => undefined) {
    this.#seed = seed;
    this.#onReading = onReading;
    this.#idle = this.#memory.idle();
    this.#memory.reset();
  }

  get isOver(): boolean {
    return this.summary.failures.length >= MOST_FAILURES;
  }

  /** Reads input `index` with the reader whose turn it is; one that may cost much with one of those beside the worker too. */
  input(index: number): void {
    const first = this.#turn(index);
    this.summary.inputs++;
    this.#read({ index, reader: first });
    if (!mayBeLarge(this.#seed, index)) return;
    const others = this.#readers.flatMap(({ name }, place) => (OTHERS.has(name) ? [place] : []));
    const reader = others[index % others.length]!;
    if (this.#readers[reader] !== this.#readers[first]) this.#read({ index, reader });
  }

  #read({ index, reader: place }: Reading): void {
    const reader = this.#readers[place]!;
    const record = recordInput(this.#seed, index);
    const at = { index, reader: reader.name, bytes: record.value?.length ?? 0 };
    let cost = 0;
    this.#onReading();
    try {
      let outcome: Outcome = 'refused';
      cost = cpuOf(() => void (outcome = reader.read(record)));
      this.summary.outcomes[outcome]++;
    } catch (error) {
      this.#fail({ ...at, cost: 0, what: error instanceof Error ? (error.stack ?? '') : String(error) });
    }
    if (cost > this.summary.slowest.cost) this.summary.slowest = { ...at, cost };
    if (cost > MOST_MS) this.#fail({ ...at, cost, what: `takes ${Math.round(cost)} ms of CPU time` });
    this.#recent.push({ index, reader: place });
    if (this.#recent.length >= INPUTS_A_LOOK || at.bytes > 32 * 1024) this.#lookAtMemory();
  }

  /** To be called behind the last input. */
  finish(): RunSummary {
    this.#lookAtMemory();
    return this.summary;
  }

  #lookAtMemory(): void {
    const recent = this.#recent;
    this.#recent = [];
    if (this.#memory.bytes - this.#idle > MOST_MEMORY) {
      // Readers keep buffers between records, those of sixteen workers here: they begin again without.
      this.#readers = createReaders();
      for (const each of recent) this.#weigh(each);
      this.#idle = this.#memory.idle();
    }
    this.#memory.reset();
  }

  #weigh({ index, reader: place }: Reading): void {
    const reader = this.#readers[place]!;
    const record: FetchedRecord = recordInput(this.#seed, index);
    this.#onReading();
    const cost = this.#memory.growthOf(() => {
      try {
        reader.read(record);
      } catch {
        // Told already.
      }
    });
    const at = { index, reader: reader.name, bytes: record.value?.length ?? 0, cost };
    if (cost > this.summary.largest.cost) this.summary.largest = at;
    if (cost > MOST_MEMORY) this.#fail({ ...at, what: `takes ${Math.round(cost / 2 ** 20)} MiB of memory` });
  }

  #turn(index: number): number {
    // Not in turn: processes that take every second input would have other readers.
    return (Math.imul(index, 0x9e3779b1) >>> 8) % this.#readers.length;
  }

  #fail(failure: Failure): void {
    this.summary.failures.push(failure);
  }
}
