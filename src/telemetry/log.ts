import { pino } from 'pino';
import { printableLines } from '../model/printable.ts';

export type { Logger } from 'pino';

/** One JSON line an event on standard output; times in RFC 3339. `process`: which of a worker's processes it is. */
export function createLog(level: string, command: string, process?: number): pino.Logger {
  return pino({
    level,
    base: process === undefined ? { command } : { command, process },
    timestamp: pino.stdTimeFunctions.isoTime,
    // JSON has no control characters of ASCII; what else a terminal obeys may be in what is logged of a record.
    hooks: { streamWrite: printableLines },
    formatters: { level: (label) => ({ level: label }) },
  });
}
