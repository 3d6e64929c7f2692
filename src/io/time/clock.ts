/**
 * Milliseconds of a clock that is never set: it does not jump when the system's time is corrected. Durations, pauses,
 * deadlines and ages are counted by it. The system's time (`Date.now`) is for what is written down, or held against times
 * of records.
 *
 * It begins at 0 with the process, so what it shows means nothing to another process, and "never" is not 0 but
 * `Number.NEGATIVE_INFINITY`.
 */
export function monotonicMs(): number {
  return performance.now();
}
