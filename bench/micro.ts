import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { CaseResult } from './case-result.ts';

const BENCH = import.meta.dirname;

/** The pipeline without Kafka: warm, and cold series. Each in a process of its own, as for the other cases. */
export function runPipelineCases(): CaseResult[] {
  process.stderr.write('pipeline …\n');
  const { results } = run<{ case: string; series: number; samples: number; us: number; residentMb: number }>(
    'pipeline.ts',
  );
  return results.map(({ case: name, series, samples, us, residentMb }) => ({
    name: `pipeline alone: ${name}`,
    series,
    samples,
    cpuMicrosPerSample: us,
    peakMib: residentMb,
  }));
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

function run<Result>(file: string): { results: Result[] } {
  const output = execFileSync(process.execPath, [path.join(BENCH, file), '--json'], { maxBuffer: 1e8 });
  return JSON.parse(output.toString()) as { results: Result[] };
}
