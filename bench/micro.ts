import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { CaseResult } from './case-result.ts';

const BENCH = import.meta.dirname;
const PIPELINE_CASES: readonly (readonly string[])[] = [
  ...['2000', '100000', '1000000'].map((series) => ['--only', 'warm', '--series', series]),
  ['--only', 'cold, no rules'],
  ['--only', 'cold, 4 rules'],
];

interface PipelineResult {
  readonly case: string;
  readonly series: number;
  readonly samples: number;
  readonly us: number;
  readonly peakMib: number;
}

/** The pipeline without Kafka, with warm and cold series, in a process of its own like the other cases. */
export function runPipelineCases(): CaseResult[] {
  process.stderr.write('pipeline …\n');
  return PIPELINE_CASES.flatMap((args) => run<PipelineResult>('pipeline.ts', args).results).map(
    ({ case: name, series, samples, us, peakMib }) => ({
      name: `pipeline alone: ${name}`,
      series,
      samples,
      cpuMicrosPerSample: us,
      peakMib,
    }),
  );
}

/** Each decoder alone. */
export function runDecoderCases(): CaseResult[] {
  process.stderr.write('decoders …\n');
  const { results } = run<{ encoding: string; cpuMicrosPerSample: number }>('decoders.ts');
  return results.map(({ encoding, cpuMicrosPerSample }) => ({
    name: `decoder: ${encoding}`,
    cpuMicrosPerSample,
  }));
}

function run<Result>(file: string, args: readonly string[] = []): { results: Result[] } {
  const all = [path.join(BENCH, file), '--json', ...args];
  const output = execFileSync(process.execPath, all, { maxBuffer: 1e8 });
  return JSON.parse(output.toString()) as { results: Result[] };
}
