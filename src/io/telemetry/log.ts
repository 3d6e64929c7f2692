import { pino } from 'pino';
import { printableLines } from '../../core/model/printable.ts';

export type { Logger } from 'pino';

/** Child loggers by logger: pino's keep the level they were created with. */
const CHILDREN = new WeakMap<pino.Logger, Set<pino.Logger>>();

/** Logs one JSON line per event to standard output; times in RFC 3339. @param process number of a worker's process */
export function createLog(level: string, command: string, process?: number): pino.Logger {
  const children = new Set<pino.Logger>();
  const log = pino({
    level,
    base: process === undefined ? { command } : { command, process },
    timestamp: pino.stdTimeFunctions.isoTime,
    // JSON escapes ASCII control characters; other characters that terminals obey may come from a record.
    hooks: { streamWrite: printableLines },
    formatters: { level: (label) => ({ level: label }) },
    onChild: (child) => void children.add(child),
  });
  CHILDREN.set(log, children);
  return log;
}

/** Sets the level of a logger of `createLog` and of its children. */
export function setLevel(log: pino.Logger, level: string): void {
  for (const each of [log, ...(CHILDREN.get(log) ?? [])]) each.level = level;
}
