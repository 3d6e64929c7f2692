/** Finds the test files of a run. */
import { globSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lab/cache.ts';

export interface TestFiles {
  /** No servers: run in parallel. */
  quick: string[];
  /** Real servers: few at a time, the longest first. */
  served: string[];
  /** A cluster of its own under faults: anything beside it would be an unplanned fault. */
  alone: string[];
}

const QUICK = ['unit', 'cases', 'conformance', 'fuzz'];
const SERVED = ['e2e', 'integration'];
/** Brokers, processes and nodes that die or hang, batches and disks that fail, long outages, clocks that step. */
const FAULTS = ['faults'];

/** The folders of a run without filters. */
export const SUITES = { test: [...QUICK, ...SERVED], faults: FAULTS } as const;
export type Suite = keyof typeof SUITES;

const ALONE = path.normalize('test/faults/chaos.test.ts');
/** Three minutes each: started first, so that nothing waits for them at the end. */
const LONG = ['kafka/cluster-faults', 'replay/waits'].map((name) =>
  path.normalize(`test/faults/${name}.test.ts`),
);

/**
 * The test files of a suite, or those whose path contains one of the filters. Filters of the suite `test` match files
 * of `faults` too, so that `npm test` runs any file that is named. Paths are absolute.
 * @throws Error when a filter matches no file: a mistyped name must not pass as "no test failed".
 */
export function findTests(suite: Suite, filters: readonly string[]): TestFiles {
  const wanted = filters.map((filter) => path.normalize(filter));
  const folders = wanted.length > 0 && suite === 'test' ? Object.values(SUITES).flat() : SUITES[suite];
  const all = inFolders(folders);
  for (const filter of wanted) {
    if (!all.some((file) => matches(file, filter)))
      throw new Error(`no test file's path contains "${filter}"`);
  }
  const chosen = all.filter((file) => wanted.length === 0 || wanted.some((filter) => matches(file, filter)));
  const absolute = (files: readonly string[]) => files.map((file) => path.join(ROOT, file));
  const quick = inFolders(QUICK);
  const served = chosen.filter((file) => !quick.includes(file) && file !== ALONE && !LONG.includes(file));
  return {
    quick: absolute(chosen.filter((file) => quick.includes(file))),
    served: absolute([...LONG.filter((file) => chosen.includes(file)), ...served]),
    alone: absolute(chosen.filter((file) => file === ALONE)),
  };
}

function inFolders(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => globSync(`test/${folder}/**/*.test.ts`, { cwd: ROOT }).sort());
}

function matches(file: string, filter: string): boolean {
  return path.isAbsolute(filter) ? path.join(ROOT, file).startsWith(filter) : file.includes(filter);
}
