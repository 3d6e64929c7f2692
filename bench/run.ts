import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { scriptArguments } from '../test/lab/script-arguments.ts';
import { Bed } from './bed.ts';
import type { CaseResult } from './case-result.ts';
import { type DrainCase, runDrainCase } from './drain-case.ts';
import { runLatencyCases } from './latency-case.ts';
import { runDecoderCases, runPipelineCases } from './micro.ts';
import { runPeerCase } from './peer-case.ts';
import { runProcessesCases } from './processes-case.ts';
import { runReplayCases } from './replay-case.ts';
import { runReplayLatencyCase } from './replay-latency-case.ts';
import { markdown, table } from './report.ts';
import { runWorkerCase, type WorkerCase } from './worker-cases.ts';

/**
 * `npm run bench`: CPU time a sample of worker and drain, and latency, on a real Kafka.
 * CPU time is that of the whole process, Kafka client, transactions and garbage collection included.
 */
const USAGE = `npm run bench -- [--only TEXT] [--quick] [--out FILE] [--compare FILE] [--markdown]

  --only TEXT      only cases with this in their name
  --quick          fewer samples: to see whether something has changed, not by how much
  --out FILE       results as JSON, written case by case
  --compare FILE   the change since these results
  --markdown       the table as Markdown
`;

const args = scriptArguments(
  USAGE,
  {
    options: {
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      compare: { type: 'string' },
      markdown: { type: 'boolean', default: false },
    },
  },
  ({ values }) => values,
);

const RULES = [
  { target_label: 'cluster', replacement: 'bench' },
  { action: 'labeldrop', regex: 'node|pod_ip' },
  { source_labels: ['instance'], regex: '(.*):\\d+', target_label: 'host', replacement: '$1' },
  { source_labels: ['__name__'], action: 'keep', regex: '.+' },
];

const SAMPLES = args.quick ? 1_000_000 : 4_000_000;
/** Measurements per target: the speed of the machine changes from one to the next. */
const TARGET_TURNS = args.quick ? 1 : 3;
const LATENCY_SECONDS = args.quick ? 5 : 15;
/** Samples per second of the live flow, and of the replay beside it. */
const REPLAY_LATENCY = { series: 100_000, live: 50_000, rate: 50_000 };
const warm = {
  partitions: 1,
  delivery: 'exactly_once',
  kind: 'warm',
  series: 100_000,
  samples: SAMPLES,
} as const;
const WORKER_CASES: WorkerCase[] = [
  { ...warm, name: 'worker warm, 1 partition', turns: TARGET_TURNS },
  { ...warm, name: 'worker warm, 2 partitions', partitions: 2 },
  { ...warm, name: 'worker warm, 4 partitions', partitions: 4 },
  { ...warm, name: 'worker warm, at least once', delivery: 'at_least_once' },
  { ...warm, name: 'worker warm, at least once, 4 partitions', delivery: 'at_least_once', partitions: 4 },
  { ...warm, name: 'worker warm, 1,000 series', series: 1_000 },
  { ...warm, name: 'worker warm, 1,000,000 series', series: 1_000_000, cacheMib: 512, turns: TARGET_TURNS },
  { ...warm, name: 'worker warm, series in changing order', shuffled: true },
  { ...warm, name: 'worker churn 5 % a minute, 4 relabel rules', kind: 'churn', relabel: RULES },
  {
    ...warm,
    name: 'worker cold, 4 relabel rules',
    series: args.quick ? 100_000 : 400_000,
    kind: 'cold',
    samples: args.quick ? 100_000 : 400_000,
    relabel: RULES,
  },
];
const DRAIN_CASES: DrainCase[] = [
  { name: 'drain, records of a worker at full load', series: 100_000, samples: SAMPLES },
  {
    name: 'drain, records of a worker at 100,000/s',
    series: 100_000,
    samples: SAMPLES / 4,
    perSecond: 100_000,
  },
];

interface Document {
  readonly date: string;
  readonly quick: boolean;
  readonly node: string;
  readonly cpu: string | undefined;
  readonly cores: number;
  readonly results: readonly CaseResult[];
}

/** Groups of cases, by the names that --only matches. */
const GROUPS: readonly { readonly name: string; readonly run: (bed: Bed) => Promise<CaseResult[]> }[] = [
  ...WORKER_CASES.map((options) => ({
    name: options.name,
    run: async (bed: Bed) => [await runWorkerCase(bed, options)],
  })),
  ...DRAIN_CASES.map((options) => ({
    name: options.name,
    run: async (bed: Bed) => [await runDrainCase(bed, options)],
  })),
  {
    name: 'peer: vmagent',
    run: async () => [await runPeerCase({ series: 100_000, samples: SAMPLES, relabel: RULES })],
  },
  {
    name: 'worker, two processes',
    run: (bed: Bed) => runProcessesCases(bed, { series: 100_000, samplesEach: SAMPLES }),
  },
  { name: 'latency', run: (bed: Bed) => runLatencyCases(bed, { series: 100_000, seconds: LATENCY_SECONDS }) },
  {
    name: 'replay raw to storage',
    run: (bed: Bed) => runReplayCases(bed, { series: 100_000, samples: SAMPLES }),
  },
  {
    name: 'replay beside a live flow',
    run: (bed: Bed) => runReplayLatencyCase(bed, { ...REPLAY_LATENCY, seconds: LATENCY_SECONDS }),
  },
];

const before =
  args.compare === undefined ? undefined : (JSON.parse(readFileSync(args.compare, 'utf8')) as Document);
if (before !== undefined && before.quick !== args.quick)
  process.stderr.write('Of the two runs one is quick: take the change with a grain of salt.\n');
/** Writes results case by case, so that an interrupted run keeps its results. */
function keep(more: readonly CaseResult[]): void {
  results.push(...more);
  if (args.out === undefined) return;
  const [cpu, ...others] = cpus();
  const machine = { node: process.version, cpu: cpu?.model, cores: 1 + others.length };
  const document: Document = { date: new Date().toISOString(), quick: args.quick, ...machine, results };
  writeFileSync(args.out, `${JSON.stringify(document, null, 2)}\n`);
}

/** Cases without Kafka, each in a process of its own. */
const ALONE = [
  { name: 'pipeline', run: runPipelineCases },
  { name: 'decoders', run: runDecoderCases },
] as const;

const isWanted = ({ name }: { name: string }) => name.includes(args.only);
const wanted = GROUPS.filter(isWanted);
const wantedAlone = ALONE.filter(isWanted);
if (wanted.length + wantedAlone.length === 0) {
  const names = [...GROUPS, ...ALONE].map(({ name }) => `  ${name}\n`).join('');
  process.stderr.write(`--only ${args.only}: no case has this in its name; there are\n${names}`);
  process.exit(2);
}
const results: CaseResult[] = [];
const started = performance.now();
if (wanted.length > 0) {
  const bed = await Bed.start();
  try {
    for (const { name, run } of wanted) {
      process.stderr.write(`${name} …\n`);
      try {
        keep(await run(bed));
      } catch (error) {
        // The results of other cases must not be lost for this one.
        process.stderr.write(`${name} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
        process.exitCode = 1;
      }
    }
  } finally {
    await bed.close();
  }
}
for (const { run } of wantedAlone) keep(run());

process.stdout.write(`${args.markdown ? markdown(results) : table(results, before?.results)}\n`);
process.stderr.write(`${Math.round((performance.now() - started) / 1000)} s\n`);
