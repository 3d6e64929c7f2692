import { pino } from 'pino';
import { printableLines } from '../../core/model/printable.ts';

export type { Logger } from 'pino';

/** The loggers made from each one: they keep the level that they were made with. */
const CHILDREN = new WeakMap<pino.Logger, Set<pino.Logger>>();

/** One JSON line an event on standard output; times in RFC 3339. `process`: which of a worker's processes it is. */
export function createLog(level: string, command: string, process?: number): pino.Logger {
  const children = new Set<pino.Logger>();
  const log = pino({
    level,
    base: process === undefined ? { command } : { command, process },
    timestamp: pino.stdTimeFunctions.isoTime,
    // JSON has no control characters of ASCII; what else a terminal obeys may be in what is logged of a record.
    hooks: { streamWrite: printableLines },
    formatters: { level: (label) => ({ level: label }) },
    onChild: (child) => void children.add(child),
  });
  CHILDREN.set(log, children);
  return log;
}

/** Changes the level of a logger of `createLog`, and of all that were made from it. */
export function setLevel(log: pino.Logger, level: string): void {
  for (const each of [log, ...(CHILDREN.get(log) ?? [])]) each.level = level;
}
