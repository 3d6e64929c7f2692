import { parseArgs } from 'node:util';
import type { SourceRecord } from '../src/core/model/records.ts';
import { Pipeline, type PipelineRoute } from '../src/core/pipeline/pipeline.ts';
import { compileRoute } from '../src/core/route/route.ts';
import { compress, uncompress } from '../src/core/wire/snappy.ts';
import { generateWriteRequests } from '../test/lab/generator/generate-series.ts';

/**
 * The pipeline alone, without Kafka: CPU time of the process per sample.
 *
 *     node bench/pipeline.ts [--json] [--series 2000,100000] [--samples 4000000] [--only warm|'cold, no rules'|…]
 */
const { values: args } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    series: { type: 'string', default: '2000,100000' },
    samples: { type: 'string', default: '4000000' },
    'cache-mb': { type: 'string', default: '2048' },
    only: { type: 'string', default: '' },
  },
});

interface Result {
  readonly case: string;
  readonly series: number;
  readonly samples: number;
  /** CPU time, user and system, in µs per sample. */
  readonly us: number;
  readonly snappyUs: number | null;
  readonly recordBytes: number;
  /** Largest resident size of the process so far, in MiB. */
  readonly peakMib: number;
  readonly predicted: number;
  readonly cacheMb: number;
}

/** Requests per step: about those of a commit interval. */
const REQUESTS_PER_STEP = 100;
const TASKS = 32;

/** One route with hash 1. */
export function benchRoute(relabel: readonly Readonly<Record<string, unknown>>[] = []): PipelineRoute {
  const { route, problems } = compileRoute(
    {
      name: 'all',
      match: [],
      dialect: 'victoriametrics',
      relabel,
      task: {
        labels: ['service', 'namespace'],
        count: TASKS,
        spread: 1,
        hash: 'jump',
        label: 'stream_task_id',
      },
      topic: 'metrics.tasks.all',
      partitions: TASKS,
    },
    0,
  );
  if (!route) throw new Error(problems.map(({ message }) => message).join('; '));
  return route;
}

/** Typical rules: a filter, a label extracted with a regular expression, labels removed, one added. */
const FOUR_RULES = [
  { action: 'drop', source_labels: ['__name__'], regex: 'go_.*|process_.*' },
  { source_labels: ['pod'], regex: '(.+)-[^-]+-[^-]+', target_label: 'workload', replacement: '$1' },
  { action: 'labeldrop', regex: 'node|instance' },
  { source_labels: ['zone'], regex: '(.*)[a-z]', target_label: 'region', replacement: '$1' },
];

function record(value: Buffer, timestamp: number): SourceRecord {
  return { value, headers: {}, timestamp, topic: 'metrics.raw', partition: 0, offset: 0n };
}

function makePipeline(routes: readonly PipelineRoute[]): Pipeline {
  const cacheBytes = Number(args['cache-mb']) * 1024 * 1024;
  return new Pipeline({
    routes,
    cacheBytes,
    maxRecordBytes: () => 1_000_000,
    tenantHeaders: ['X-Scope-OrgID'],
  });
}

/** CPU time of this process in µs. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** All series known: scrapes of the same series over and over. */
function warm(series: number): Result {
  // Two scrapes in turn, so that values differ; more would only need more memory.
  const scrapes = [0, 1].map((scrape) =>
    Array.from(generateWriteRequests({ series, scrape }), ({ value }) => value),
  );
  const pipeline = makePipeline([benchRoute()]);
  let step = pipeline.begin();
  const finish = () => {
    for (const out of step.finish().records) recordBytes += out.value.length;
    step = pipeline.begin();
  };
  const most = Number(args.samples);
  let recordBytes = 0;
  const round = (values: readonly Buffer[]) => {
    let pending = 0;
    for (const value of values) {
      step.process(record(value, 0));
      if (++pending % REQUESTS_PER_STEP === 0) finish();
    }
  };
  const warmUp = Math.max(2, Math.ceil(400_000 / series));
  for (let i = 0; i < warmUp; i++) round(scrapes[i % 2]!);
  finish();
  const before = pipeline.cacheStats;
  recordBytes = 0;
  // A block of requests that is long enough to time, whatever the number of series.
  let samples = 0;
  const block = series >= 200_000 ? 1 : Math.ceil(200_000 / series);
  const values = [0, 1].map((i) => Array.from({ length: block }, () => scrapes[i]!).flat());
  const start = cpu();
  for (let i = 0; samples < most; i++) {
    round(values[i % 2]!);
    samples += series * block;
  }
  finish();
  const us = (cpu() - start) / samples;
  const peakMib = process.resourceUsage().maxRSS / 1024;
  const after = pipeline.cacheStats;
  return {
    case: 'warm',
    series,
    samples,
    us,
    snappyUs: snappyCost(scrapes[0]!, pipeline),
    recordBytes: recordBytes / samples,
    peakMib,
    cacheMb: after.bytes / 2 ** 20,
    predicted: (after.predicted - before.predicted) / samples,
  };
}

/** Cost of snappy alone: the same bodies uncompressed, the same outputs compressed. */
function snappyCost(values: readonly Buffer[], pipeline: Pipeline): number {
  const some = values.slice(0, REQUESTS_PER_STEP);
  const step = pipeline.begin();
  let samples = 0;
  for (let i = 0; i < REQUESTS_PER_STEP; i++) step.process(record(some[i % some.length]!, 0));
  const { records, counts } = step.finish();
  samples = counts.samples;
  const bodies = records.map(({ value }) => uncompress(value, 2 ** 30));
  const rounds = 10;
  const start = cpu();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < REQUESTS_PER_STEP; i++) uncompress(some[i % some.length]!, 2 ** 30);
    for (const body of bodies) compress(body);
  }
  return (cpu() - start) / samples / rounds;
}

/** Every series new. */
function cold(name: string, routes: readonly PipelineRoute[]): Result {
  const series = 100_000;
  const warmUp = [...generateWriteRequests({ series, seed: 2 })];
  const requests = [...generateWriteRequests({ series, seed: 3 })];
  const pipeline = makePipeline(routes);
  const before = pipeline.begin();
  for (const { value } of warmUp) before.process(record(value, 0));
  before.finish();
  const step = pipeline.begin();
  const start = cpu();
  for (const { value } of requests) step.process(record(value, 0));
  const { records } = step.finish();
  const us = (cpu() - start) / series;
  const recordBytes = records.reduce((sum, { value }) => sum + value.length, 0) / series;
  const cacheMb = pipeline.cacheStats.bytes / 2 ** 20;
  const peakMib = process.resourceUsage().maxRSS / 1024;
  return {
    case: name,
    series,
    samples: series,
    us,
    snappyUs: null,
    recordBytes,
    peakMib,
    cacheMb,
    predicted: 0,
  };
}

const CASES: readonly { readonly name: string; readonly run: () => Result }[] = [
  ...args.series.split(',').map((series) => ({ name: 'warm', run: () => warm(Number(series)) })),
  { name: 'cold, no rules', run: () => cold('cold, no rules', [benchRoute()]) },
  { name: 'cold, 4 rules', run: () => cold('cold, 4 rules', [benchRoute(FOUR_RULES)]) },
];
const results = CASES.filter(({ name }) => name.startsWith(args.only)).map(({ run }) => run());

if (args.json) console.log(JSON.stringify({ benchmark: 'pipeline', node: process.version, results }));
else {
  console.log(
    'CPU µs a sample; 2,000 series a request, 12 labels, 1 sample each, 32 tasks, one route without rules',
  );
  console.table(
    results.map((result) => ({
      case: result.case,
      series: result.series,
      samples: result.samples,
      'µs/sample': Number(result.us.toFixed(3)),
      'of which snappy': result.snappyUs === null ? '' : Number(result.snappyUs.toFixed(3)),
      'bytes out/sample': Math.round(result.recordBytes),
      'cache MB': Math.round(result.cacheMb),
      'peak MiB': Math.round(result.peakMib),
      predicted: Number(result.predicted.toFixed(4)),
    })),
  );
}
