/** Runs the command line from its sources, as a user would run the built one. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createRunFolder, ROOT } from '../cache.ts';
import { ManagedProcess } from '../process.ts';

const CLI = path.join(ROOT, 'src/cli.ts');
/** Node's flags in the shebang, `#!/usr/bin/env -S node --flag …`, with which users run the command. */
const NODE_FLAGS = readFileSync(path.join(ROOT, 'bin/penstock.js'), 'utf8')
  .split('\n', 1)[0]!
  .split(' ')
  .slice(3);

export interface PenstockOptions {
  /** `-c FILE`. */
  configFile?: string;
  /** Added to the environment. */
  env?: Record<string, string | undefined>;
}

export type PenstockProcess = ManagedProcess;

/** Starts a long-running command, such as `spawnPenstock(['worker'], { configFile })`. */
export function spawnPenstock(args: string[], options: PenstockOptions = {}): PenstockProcess {
  const folder = createRunFolder('penstock');
  return new ManagedProcess({
    name: `penstock ${args.join(' ')}`,
    command: process.execPath,
    args: commandLine(args, options),
    env: options.env ?? {},
    cwd: ROOT,
    logFile: path.join(folder, 'penstock.log'),
  });
}

export interface PenstockResult {
  /** Exit code; null when a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, with `input` on standard input. */
export function runPenstock(
  args: string[],
  options: PenstockOptions & { input?: string } = {},
): Promise<PenstockResult> {
  const child = spawn(process.execPath, commandLine(args, options), {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: 'pipe',
  });
  const result: PenstockResult = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
  // A command that fails at once closes its input before it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...result, code }));
  });
}

/** Creates and changes the topics of a configuration. @throws Error with what the command says */
export async function applyTopics(options: PenstockOptions): Promise<void> {
  const { code, stdout, stderr } = await runPenstock(['topics', 'apply'], options);
  if (code !== 0) throw new Error(`penstock topics apply failed:\n${stdout}${stderr}`);
}

function commandLine(args: string[], { configFile }: PenstockOptions): string[] {
  return [...NODE_FLAGS, CLI, ...args, ...(configFile === undefined ? [] : ['-c', configFile])];
}
