/** Which test files there are, and which a run was asked for. */
import { globSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './cache.ts';

export interface TestFiles {
  /** No servers: run in parallel. */
  quick: string[];
  /** Servers of their own, which they wait for most of the time: beside the quick ones. */
  waiting: string[];
  /** Real servers: few at a time, what takes longest first. */
  served: string[];
  /** A cluster of its own under faults: what runs beside it would be a fault that nobody planned. */
  alone: string[];
}

const ALONE = path.normalize('test/e2e/chaos.test.ts');
/** A minute without a commit, or Kafka's memory of offsets, is what they are about. */
const WAITING = inIntegration(['drain/watchdog', 'worker/watchdog', 'replay/waits']);
/**
 * Two minutes: at the end the rest of the machine would wait for it. By their names the other files with a cluster of three
 * brokers come when it is over.
 */
const LONG = inIntegration(['kafka/cluster-faults']);

/**
 * All test files whose path contains one of the filters (all of them without a filter); paths are absolute.
 * @throws Error when a filter matches no file: a mistyped name must not pass as "no test failed".
 */
export function findTests(filters: string[]): TestFiles {
  const wanted = filters.map((filter) => path.normalize(filter));
  const inFolders = (folders: string[]) =>
    folders.flatMap((folder) => globSync(`test/${folder}/**/*.test.ts`, { cwd: ROOT })).sort();
  const all = inFolders(['unit', 'cases', 'conformance', 'fuzz', 'integration', 'e2e']);
  for (const filter of wanted) {
    if (!all.some((file) => matches(file, filter)))
      throw new Error(`no test file's path contains "${filter}"`);
  }
  const chosen = (file: string) => wanted.length === 0 || wanted.some((filter) => matches(file, filter));
  const absolute = (file: string) => path.join(ROOT, file);
  return {
    quick: inFolders(['unit', 'cases', 'conformance', 'fuzz']).filter(chosen).map(absolute),
    waiting: WAITING.filter(chosen).map(absolute),
    served: [...LONG, ...inFolders(['integration', 'e2e']).filter((file) => !LONG.includes(file))]
      .filter((file) => chosen(file) && file !== ALONE && !WAITING.includes(file))
      .map(absolute),
    alone: all.filter((file) => chosen(file) && file === ALONE).map(absolute),
  };
}

function inIntegration(names: string[]): string[] {
  return names.map((name) => path.normalize(`test/integration/${name}.test.ts`));
}

function matches(file: string, filter: string): boolean {
  return path.isAbsolute(filter) ? path.join(ROOT, file).startsWith(filter) : file.includes(filter);
}
