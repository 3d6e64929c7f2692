import { pino } from 'pino';

export type { Logger } from 'pino';

/** One JSON line an event on standard output; times in RFC 3339. `process`: which of a worker's processes it is. */
export function createLog(level: string, command: string, process?: number): pino.Logger {
  return pino({
    level,
    base: process === undefined ? { command } : { command, process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
