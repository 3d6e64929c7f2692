/**
 * `npm test`: every test but those of faults, from unit to end-to-end, with the servers that they need.
 * `npm run faults`: those of brokers and processes that die or hang, and of long outages; the chaos run comes last.
 *
 *     npm test                                  the whole suite
 *     npm test -- test/unit/hash task.test      files whose path contains one of these, also of faults
 *     npm test -- -t 'restart' test/e2e         tests whose name matches
 *
 * Tests without servers run first. Meanwhile one Kafka comes up; the tests that need servers share it
 * (`PENSTOCK_TEST_BROKERS`), except those that stop or kill brokers, which start their own. The chaos run has the machine to
 * itself.
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { CACHE, ROOT, sweepRunFolders } from './lab/cache.ts';
import { scriptArguments } from './lab/script-arguments.ts';
import { type KafkaCluster, startKafka } from './lab/servers/kafka.ts';
import { findVictoria } from './lab/servers/victoria-binaries.ts';
import { vmagentHasWindows } from './lab/servers/victoriametrics.ts';
import { findTests, SUITES, type Suite, type TestFiles } from './support/find-tests.ts';

/** One file's limit. A test that hangs must not hide what the others found. */
const FILE_TIMEOUT_MS = 15 * 60_000;
/** Some of the tests without servers wait, for a limit or another process. */
const QUICK_AT_ONCE = availableParallelism() + 1;
/** With three, clusters of three brokers were too slow for their tests. */
const SERVED_AT_ONCE = 2;
/** The chaos run takes some 4 minutes, and on a busy machine waits for its brokers as long as it takes. */
const ALONE_TIMEOUT_MS = 30 * 60_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const USAGE = `npm test -- [PATH ...] [-t PATTERN]
npm run faults -- [PATH ...] [-t PATTERN]

  PATH                              only files whose path contains it
  -t, --test-name-pattern PATTERN   only tests whose name matches
`;

const { suite, filters, namePatterns } = scriptArguments(
  USAGE,
  {
    allowPositionals: true,
    options: {
      suite: { type: 'string', default: 'test' },
      'test-name-pattern': { type: 'string', short: 't', multiple: true },
    },
  },
  ({ positionals, values }) => ({
    suite: suiteOption(values.suite),
    filters: positionals,
    namePatterns: values['test-name-pattern'] ?? [],
  }),
);
const stop = new AbortController();
/** How long each file took. */
const seconds = new Map<string, number>();
/** So many of the slowest are named at the end of a run of more files. */
const SLOWEST = 25;

function suiteOption(name: string): Suite {
  if (Object.hasOwn(SUITES, name)) return name as Suite;
  throw new Error(`--suite ${name}: expected one of ${Object.keys(SUITES).join(', ')}`);
}

async function runFiles(files: string[], concurrency: number, timeout = FILE_TIMEOUT_MS): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  if (files.length === 0 || stop.signal.aborted) return counts;
  const events = run({
    files,
    concurrency,
    timeout,
    signal: stop.signal,
    // A file ends with its last test. What a test must not leave behind it has to assert; a leftover is no reason to hang.
    execArgv: ['--test-force-exit'],
    ...(namePatterns.length > 0 ? { testNamePatterns: namePatterns } : {}),
  });
  events.on('test:summary', ({ file, duration_ms, counts: of }) => {
    if (file !== undefined) {
      seconds.set(path.relative(ROOT, file), duration_ms / 1000);
      return;
    }
    counts.passed = of.passed;
    counts.failed = of.tests - of.passed - of.skipped - of.todo;
    counts.skipped = of.skipped + of.todo;
  });
  for await (const text of events.compose(new spec())) process.stdout.write(text);
  return counts;
}

/** What to look at when a run takes too long. */
function slowestFiles(): string {
  if (seconds.size <= SLOWEST) return '';
  const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
  return `\nThe slowest files, in s:\n${slowest.map(([file, s]) => `${s.toFixed(0).padStart(6)}  ${file}`).join('\n')}\n`;
}

/** Says what the tests will run against. Fetches it, so that test files do not all wait for the same download. */
async function describeServers(kafka: KafkaCluster): Promise<void> {
  const storage = await findVictoria('victoria-metrics');
  const vmagent = await findVictoria('vmagent');
  const lines = [
    `Kafka: ${kafka.source}`,
    `VictoriaMetrics: ${storage.source}`,
    `vmagent: ${vmagent.source}`,
  ];
  if (!vmagentHasWindows(vmagent.version)) {
    lines.push(
      'This vmagent has no windows of stream aggregation: tests of aggregation are skipped. Go 1.26, docker or a vmagent of 1.148 or newer on PATH runs them.',
    );
  }
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
}

/** The tests without servers, then those that share a Kafka. */
async function runMost({ quick, served }: TestFiles): Promise<Counts[]> {
  const starting = served.length > 0 ? startKafka({ name: 'shared-kafka' }) : undefined;
  // Its error is reported where it is awaited, after the quick tests.
  starting?.catch(() => {});
  try {
    const first = await runFiles(quick, QUICK_AT_ONCE);
    if (starting === undefined) return [first];
    const kafka = await starting;
    await describeServers(kafka);
    process.env.PENSTOCK_TEST_BROKERS = kafka.brokers.join(',');
    return [first, await runFiles(served, SERVED_AT_ONCE)];
  } finally {
    await starting?.then(
      (kafka) => kafka.close(),
      () => {},
    );
  }
}

async function main(): Promise<number> {
  sweepRunFolders();
  // Hundreds of processes load the same sources; from the second on they are compiled already.
  process.env.NODE_COMPILE_CACHE ??= path.join(CACHE, 'compiled');
  const files = findTests(suite, filters);
  try {
    const counts = await runMost(files);
    counts.push(await runFiles(files.alone, 1, ALONE_TIMEOUT_MS));
    const total = (key: keyof Counts) => counts.reduce((sum, of) => sum + of[key], 0);
    const [passed, failed, skipped] = [total('passed'), total('failed'), total('skipped')];
    process.stdout.write(slowestFiles());
    process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    return failed === 0 && passed > 0 && !stop.signal.aborted ? 0 : 1;
  } finally {
    sweepRunFolders();
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
