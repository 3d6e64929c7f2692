import type { StepLoad } from './step.ts';

/**
 * Limits at which a step ends early; the records left go into the next. The record that exceeds a limit still belongs
 * to the step; what one record may become is limited elsewhere (`worker.limits`, core/decode/rejects.ts,
 * core/record/dead-letter.ts).
 */
export interface StepLimits extends StepLoad {
  /** How long it may hold the thread, in ms: other partitions, fetches and heartbeats wait meanwhile. */
  readonly ms: number;
}

const MIB = 1024 * 1024;

/**
 * A step takes 4 MiB as fetched, which may become:
 *
 * - `decodedBytes`, `ms`: with remote write in snappy some 40 MiB of series and 0.1 s, or 0.9 s if all of them are new
 *   (docs/internals/measurements.md); with zstd gigabytes.
 * - `outputs`, `outputBytes`: tenants times tasks, each output with a buffer of 8 KiB at least: 32 MiB. A series that
 *   several routes match is in memory once per route.
 * - `records`: the cost of a send grows with the square of its records in kafkajs.
 * - `deadLetters`, `deadBytes`: a hundred for a record of 200 bytes (core/decode/rejects.ts). A thousand are published
 *   in a fraction of a second, so that no transaction times out for them.
 */
export const STEP_LIMITS: StepLimits = {
  decodedBytes: 64 * MIB,
  ms: 1_000,
  outputs: 4_096,
  outputBytes: 128 * MIB,
  records: 5_000,
  deadLetters: 1_000,
  deadBytes: 16 * MIB,
};

/** Whether a step has reached a limit of what it may publish at once. Time is not checked. */
export function exceeds(load: StepLoad, limits: StepLoad): boolean {
  return (
    load.decodedBytes > limits.decodedBytes ||
    load.outputs >= limits.outputs ||
    load.outputBytes > limits.outputBytes ||
    load.records >= limits.records ||
    load.deadLetters >= limits.deadLetters ||
    load.deadBytes > limits.deadBytes
  );
}
