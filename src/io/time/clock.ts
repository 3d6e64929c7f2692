/**
 * Milliseconds of a monotonic clock, which does not jump when the system's time is corrected. For durations, pauses,
 * deadlines and ages.
 *
 * Starts at 0 with the process, so values mean nothing to other processes, and "never" is `Number.NEGATIVE_INFINITY`,
 * not 0.
 */
export function monotonicMs(): number {
  return performance.now();
}

/**
 * Milliseconds since the epoch by the system's time, which may jump: for times that are stored, shown, or compared with
 * those of records and of other processes. The only place that asks for it; what decides by it takes it as an argument.
 */
export function epochMs(): number {
  return Date.now();
}
