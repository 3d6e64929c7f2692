/**
 * Milliseconds of a monotonic clock, which does not jump when the system's time is corrected. For durations, pauses,
 * deadlines and ages; `Date.now` is for times that are stored or compared with record timestamps.
 *
 * Starts at 0 with the process, so values mean nothing to other processes, and "never" is `Number.NEGATIVE_INFINITY`,
 * not 0.
 */
export function monotonicMs(): number {
  return performance.now();
}
