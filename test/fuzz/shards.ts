import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CACHE, ROOT } from '../lab/cache.ts';
import type { Failure, RunSummary } from './record-run.ts';

export const FUZZ_FOLDER = path.join(CACHE, 'fuzz');

/** What the command line is run with: `#!/usr/bin/env -S node --flag …`. */
const NODE_FLAGS = readFileSync(path.join(ROOT, 'bin/penstock.js'), 'utf8')
  .split('\n', 1)[0]!
  .split(' ')
  .slice(3);
/**
 * A process that has used so much CPU time at the same place hangs: no input may take more than 2 s. Not wall time, since
 * the machine may be busy.
 */
const HANG_MS = 60_000;
const LOOK_MS = 5_000;

export interface ShardOptions {
  readonly seed: number;
  /** Its inputs: `first`, `first + step`, …, below `end`. */
  readonly first: number;
  readonly end: number;
  readonly step: number;
}

/** Runs a process over its inputs. One that dies or hangs is a failure at the input where it was, and goes on behind it. */
export async function runShard(options: ShardOptions): Promise<RunSummary[]> {
  const summaries: RunSummary[] = [];
  for (let first = options.first; first < options.end; ) {
    const { summary, diedAt, why } = await runProcess({ ...options, first });
    if (summary !== undefined) return [...summaries, summary];
    summaries.push(deadSummary(Math.max(0, (diedAt - first) / options.step), diedAt, why));
    first = diedAt + options.step;
    if (summaries.length > 5) break;
  }
  return summaries;
}

function deadSummary(inputs: number, index: number, what: string): RunSummary {
  const failure: Failure = { index, reader: 'the process', bytes: 0, cost: 0, what };
  const none = { ...failure, index: -1 };
  const outcomes = { taken: 0, part: 0, refused: 0 };
  return { inputs, outcomes, slowest: none, largest: none, failures: [failure] };
}

async function runProcess({ seed, first, end, step }: ShardOptions) {
  mkdirSync(FUZZ_FOLDER, { recursive: true });
  const place = path.join(FUZZ_FOLDER, `place-${process.pid}-${first % step}`);
  const script = path.join(ROOT, 'test/fuzz/shard.ts');
  const args = [...NODE_FLAGS, script, ...[seed, first, end, step].map(String), place];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4000)));
  let hangs = false;
  let last = '';
  let since = 0;
  const watch = setInterval(() => {
    const at = contentOf(place);
    const usedMs = cpuMsOf(child.pid);
    if (at !== last) {
      last = at;
      since = usedMs;
    } else if (usedMs - since > HANG_MS) {
      hangs = true;
      child.kill('SIGKILL');
    }
  }, LOOK_MS);
  const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  clearInterval(watch);
  const done = code === 0 && output.trim() !== '';
  return {
    summary: done ? (JSON.parse(output) as RunSummary) : undefined,
    diedAt: indexIn(place, first),
    why: hangs
      ? `hangs: more than ${HANG_MS / 1000} s of CPU time at one input`
      : `the process ended with ${code}: ${errors}`,
  };
}

function indexIn(place: string, first: number): number {
  const bytes = Buffer.from(contentOf(place), 'latin1');
  return bytes.length >= 8 ? bytes.readDoubleLE() : first;
}

function contentOf(place: string): string {
  try {
    return readFileSync(place, 'latin1');
  } catch {
    return '';
  }
}

/** Clock ticks of /proc a second, on every Linux that Node runs on. */
const TICKS = 100;

/** CPU time that a process has used, in ms; where the system does not tell it: the time of day. */
function cpuMsOf(pid: number | undefined): number {
  try {
    // Fields 14 and 15, counted behind the name, which may have blanks (proc_pid_stat(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1000;
  } catch {
    return Date.now();
  }
}
