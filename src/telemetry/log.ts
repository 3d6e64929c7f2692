import { pino } from 'pino';

export type { Logger } from 'pino';

/** One JSON line an event on standard output; times in RFC 3339. */
export function createLog(level: string, command: string): pino.Logger {
  return pino({
    level,
    base: { command },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
