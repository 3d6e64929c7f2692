import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Bed } from './bed.ts';
import { type CaseResult, runDrainCase, runWorkerCase, type WorkerCase } from './cases.ts';
import { runDecoderCases, runPipelineCases } from './micro.ts';
import { table } from './report.ts';

/**
 * `npm run bench`: CPU time a sample of worker and drain, on a real Kafka.
 *
 *     npm run bench -- [--only TEXT] [--quick] [--out FILE] [--compare OLD.json]
 *
 * CPU time is that of the whole process, Kafka client, transactions and garbage collection included.
 */
const { values: args } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
    compare: { type: 'string' },
  },
});

const RULES = [
  { target_label: 'cluster', replacement: 'bench' },
  { action: 'labeldrop', regex: 'node|pod_ip' },
  { source_labels: ['instance'], regex: '(.*):\\d+', target_label: 'host', replacement: '$1' },
  { source_labels: ['__name__'], action: 'keep', regex: '.+' },
];

const SAMPLES = args.quick ? 400_000 : 4_000_000;
const warm = { partitions: 1, delivery: 'exactly_once', kind: 'warm', samples: SAMPLES } as const;
const WORKER_CASES: WorkerCase[] = [
  { ...warm, name: 'worker warm, 1 partition', series: 100_000 },
  { ...warm, name: 'worker warm, 4 partitions', series: 100_000, partitions: 4 },
  { ...warm, name: 'worker warm, at least once', series: 100_000, delivery: 'at_least_once' },
  { ...warm, name: 'worker warm, 1,000 series', series: 1_000 },
  { ...warm, name: 'worker warm, 1,000,000 series', series: 1_000_000, cacheMib: 900 },
  {
    ...warm,
    name: 'worker cold, 4 relabel rules',
    series: 200_000,
    kind: 'cold',
    samples: 200_000,
    relabel: RULES,
  },
];

const bed = await Bed.start();
const results: CaseResult[] = [];
try {
  for (const options of WORKER_CASES.filter(({ name }) => name.includes(args.only))) {
    if (args.quick && options.series > 200_000) continue;
    process.stderr.write(`${options.name} …\n`);
    results.push(await runWorkerCase(bed, options));
  }
  if ('drain'.includes(args.only)) {
    process.stderr.write('drain …\n');
    results.push(await runDrainCase(bed, { name: 'drain', series: 100_000, samples: SAMPLES }));
  }
} finally {
  await bed.close();
}
if ('pipeline'.includes(args.only)) results.push(...runPipelineCases());
if ('decoders'.includes(args.only)) results.push(...runDecoderCases());

const before =
  args.compare === undefined
    ? undefined
    : (JSON.parse(readFileSync(args.compare, 'utf8')) as { results: CaseResult[] });
process.stdout.write(`${table(results, before?.results)}\n`);
if (args.out !== undefined) {
  const document = { date: new Date().toISOString(), node: process.version, cpu: cpus()[0]?.model, results };
  writeFileSync(args.out, `${JSON.stringify(document, null, 2)}\n`);
}
