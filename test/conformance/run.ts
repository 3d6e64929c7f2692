/**
 * Runs every vector file of a folder: `npm run conformance -- DIR [--format F]`.
 * The format of the files is described in the README beside the vectors.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '../../src/core/model/errors.ts';
import { scriptArguments } from '../lab/script-arguments.ts';

const USAGE = `npm run conformance -- DIR [--format F]

  DIR          a folder with vector files (docs of the format: the README beside them)
  --format F   only the files of this format, such as relabel
`;

/** A vector file: recorded outputs of real engines. Some formats keep scenarios beside the cases. */
export interface VectorFile {
  readonly format: string;
  readonly cases: readonly { readonly id: string }[];
}

/** Runs one case: what differs, in words, or undefined if nothing does. An exception is a difference. */
export type CaseRunner = (testCase: unknown) => string | undefined;

interface RunnerModule {
  readonly module: string;
  /** Loads the module and makes a runner for one file. */
  readonly load: (file: VectorFile) => Promise<CaseRunner>;
}

/**
 * Format ▸ where its runner is. Modules are loaded when a file asks for them, so that one that is broken
 * or not written yet leaves the other formats alone.
 */
const RUNNERS: Readonly<Record<string, RunnerModule>> = {
  hash: {
    module: './hash.ts',
    load: async (file) => (await import('./hash.ts')).createHashRunner(file),
  },
  relabel: {
    module: './relabel.ts',
    load: async () => (await import('./relabel.ts')).runRelabelCase,
  },
  graphite: {
    module: './graphite.ts',
    load: async () => (await import('./graphite.ts')).runGraphiteCase,
  },
  influx: {
    module: './influx.ts',
    load: async () => (await import('./influx.ts')).runInfluxCase,
  },
  opentsdb: {
    module: './opentsdb.ts',
    load: async () => (await import('./opentsdb.ts')).runOpentsdbCase,
  },
  'prometheus-text': {
    module: './prometheus-text.ts',
    load: async () => (await import('./prometheus-text.ts')).runPrometheusTextCase,
  },
  vmimport: {
    module: './vmimport.ts',
    load: async () => (await import('./vmimport.ts')).runVmimportCase,
  },
  'remote-write-v1': {
    module: './remote-write.ts',
    load: async () => (await import('./remote-write.ts')).runRemoteWriteV1Case,
  },
  otlp: {
    module: './otlp.ts',
    load: async () => (await import('./otlp.ts')).runOtlpCase,
  },
  'remote-write-v2': {
    module: './remote-write-v2.ts',
    load: async () => (await import('./remote-write-v2.ts')).runRemoteWriteV2Case,
  },
};

/**
 * `format/id` ▸ why Penstock does not do what the engine did. `format/*` ▸ the same for every case that differs and has
 * such a body: random vectors hit a quirk again and again.
 */
export type KnownDifferences = Readonly<Record<string, string | KnownKind>>;

interface KnownKind {
  /** Regular expression that the case's `payload_utf8` matches. */
  readonly payload: string;
  readonly reason: string;
}

export interface FileResult {
  readonly name: string;
  readonly format: string;
  readonly cases: number;
  /** Undefined if nobody runs this format yet. */
  readonly outcome: Outcome | undefined;
}

export interface Outcome {
  readonly passed: number;
  readonly failures: readonly { readonly id: string; readonly difference: string }[];
  readonly known: readonly { readonly id: string; readonly reason: string }[];
}

/** Runs the vector files of `folder` in order of their names, of one `format` if it is given. */
export async function runFolder(
  folder: string,
  format?: string,
  known: KnownDifferences = readKnownDifferences(),
): Promise<FileResult[]> {
  const results: FileResult[] = [];
  for (const { name, file } of readVectors(folder)) {
    if (format !== undefined && file.format !== format) continue;
    const run = await loadRunner(file);
    const outcome = run && runCases(file, run, known);
    results.push({ name, format: file.format, cases: file.cases.length, outcome });
  }
  return results;
}

/** Formats of the vector files in `folder`, each once. */
export function formatsIn(folder: string): string[] {
  return [...new Set(readVectors(folder).map(({ file }) => file.format))];
}

/** Runs all cases. A known difference that has gone is a failure: it must be taken off the list. */
export function runCases(file: VectorFile, run: CaseRunner, known: KnownDifferences): Outcome {
  let passed = 0;
  const failures: { id: string; difference: string }[] = [];
  const expected: { id: string; reason: string }[] = [];
  for (const testCase of file.cases) {
    const difference = attempt(run, testCase);
    const reason =
      known[`${file.format}/${testCase.id}`] ??
      (difference === undefined ? undefined : kindOf(known[`${file.format}/*`], testCase));
    if (reason === undefined) {
      if (difference === undefined) passed++;
      else failures.push({ id: testCase.id, difference });
    } else if (difference === undefined) {
      const gone = 'is listed in known-differences.json but passes: take it off the list';
      failures.push({ id: testCase.id, difference: gone });
    } else {
      expected.push({ id: testCase.id, reason: String(reason) });
    }
  }
  return { passed, failures, known: expected };
}

function kindOf(kind: KnownDifferences[string] | undefined, testCase: unknown): string | undefined {
  if (kind === undefined || typeof kind === 'string') return undefined;
  const { payload_utf8: payload } = testCase as { payload_utf8?: string };
  return payload !== undefined && new RegExp(kind.payload).test(payload) ? kind.reason : undefined;
}

/** The report that is printed: a line a file, its first differences, and the total. */
export function formatResults(results: readonly FileResult[], shownFailures = 5): string {
  const lines: string[] = [];
  let passed = 0;
  let failed = 0;
  let known = 0;
  let waiting = 0;
  for (const { name, format, cases, outcome } of results) {
    if (outcome === undefined) {
      waiting += cases;
      lines.push(`${name}: no runner yet for format ${format}, ${cases} cases not run`);
      continue;
    }
    passed += outcome.passed;
    failed += outcome.failures.length;
    known += outcome.known.length;
    lines.push(`${name}: ${counts(outcome.passed, outcome.failures.length, outcome.known.length)}`);
    for (const { id, difference } of outcome.failures.slice(0, shownFailures)) {
      lines.push(`  ${id}: ${difference.replaceAll('\n', '\n    ')}`);
    }
    const more = outcome.failures.length - shownFailures;
    if (more > 0) lines.push(`  … and ${more} more`);
    for (const { id, reason } of outcome.known) lines.push(`  known difference ${id}: ${reason}`);
  }
  const rest = waiting > 0 ? `, ${waiting} not run` : '';
  lines.push(`total: ${counts(passed, failed, known)}${rest}`);
  return lines.join('\n');
}

export function readKnownDifferences(): KnownDifferences {
  return readJson(fileURLToPath(new URL('known-differences.json', import.meta.url))) as KnownDifferences;
}

function readVectors(folder: string): { name: string; file: VectorFile }[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({ name, file: readJson(join(folder, name)) as VectorFile }));
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The runner of a file's format; undefined if there is none, or its module is not written yet. */
async function loadRunner(file: VectorFile): Promise<CaseRunner | undefined> {
  const runner = Object.hasOwn(RUNNERS, file.format) ? RUNNERS[file.format] : undefined;
  if (runner === undefined) return undefined;
  try {
    return await runner.load(file);
  } catch (error) {
    const { code, url } = error as { code?: string; url?: string };
    const missing = new URL(runner.module, import.meta.url).href;
    if (code === 'ERR_MODULE_NOT_FOUND' && url === missing) return undefined;
    // A runner that is there but does not load fails its cases and leaves the other files alone.
    return () => `the runner ${runner.module} does not load: ${errorMessage(error)}`;
  }
}

function attempt(run: CaseRunner, testCase: unknown): string | undefined {
  try {
    return run(testCase);
  } catch (error) {
    return `threw ${errorMessage(error)}`;
  }
}

function counts(passed: number, failed: number, known: number): string {
  return `${passed} passed, ${failed} failed${known > 0 ? `, ${known} known differences` : ''}`;
}

async function main(): Promise<number> {
  const { folder, format } = scriptArguments(
    USAGE,
    { options: { format: { type: 'string' } }, allowPositionals: true },
    ({ values, positionals: [folder, ...more] }) => {
      if (folder === undefined || more.length > 0) throw new Error('expected one folder with vector files');
      return { folder, format: values.format };
    },
  );
  const results = await runFolder(folder, format);
  process.stdout.write(`${formatResults(results)}\n`);
  if (results.length === 0) {
    process.stderr.write(`no vector file${format ? ` of format ${format}` : ''} in ${folder}\n`);
    return 1;
  }
  return results.some((result) => (result.outcome?.failures.length ?? 0) > 0) ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
