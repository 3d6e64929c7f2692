/**
 * VictoriaMetrics, vmagent and vmalert, from the first of these that is available: PATH, a docker daemon, Go (builds
 * the program into `.cache/`), Debian's package (fetched and unpacked into `.cache/`, not installed).
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { cached, RUN } from '../cache.ts';
import { ManagedProcess, succeeds } from '../process.ts';
import { ContainerProcess, dockerAnswers } from './docker.ts';
import { buildWithGo, hasGo } from './victoria-go.ts';

const run = promisify(execFile);

/** The release that tests and the demo run against. */
export const VICTORIA_VERSION = '1.151.0';
/** The oldest vmagent that the documents allow: `rate_*` is correct since 1.147, and fast since 1.148. */
export const OLDEST_VMAGENT_VERSION = '1.148.9';
const PACKAGE = 'victoria-metrics';
/** Debian's build does not know its own version, so this file beside it has it. */
const VERSION_FILE = 'VERSION';

export type VictoriaProgram = 'victoria-metrics' | 'vmagent' | 'vmalert' | 'vmalert-tool';

/** A program that can be started, whatever its origin. */
export interface VictoriaBinary {
  /** Origin, for the first lines of a test run. */
  source: string;
  /** Such as `1.79.5`; empty if unknown. */
  version: string;
  /** Starts it, writing to `folder`; `previous` is its former process, if it is a restart. */
  start(options: { name: string; args: string[]; folder: string }, previous?: ManagedProcess): ManagedProcess;
}

export async function findVictoria(program: VictoriaProgram): Promise<VictoriaBinary> {
  const installed = findOnPath(program) ?? findOnPath(`${program}-prod`);
  if (installed !== undefined) return executable(installed, await ownVersion(installed), installed);
  const current = await findRelease(program, VICTORIA_VERSION);
  if (current !== undefined) return current;
  const folder = await debianPackage();
  const version = readFileSync(path.join(folder, VERSION_FILE), 'utf8');
  return executable(path.join(folder, 'usr/bin', program), version, `Debian's package ${PACKAGE}`);
}

/** vmalert-tool, which runs the tests of rules; undefined if there is none, as in Debian's package. */
export async function findVmalertTool(): Promise<VictoriaBinary | undefined> {
  const installed = findOnPath('vmalert-tool');
  if (installed !== undefined) return executable(installed, '', installed);
  return await findRelease('vmalert-tool', VICTORIA_VERSION);
}

/** A program of a given release, from a docker daemon or Go; undefined without either. */
export async function findRelease(
  program: VictoriaProgram,
  version: string,
): Promise<VictoriaBinary | undefined> {
  if (dockerAnswers()) return image(`victoriametrics/${program}`, version);
  if (!hasGo()) return undefined;
  return executable(await buildWithGo(program, version), version, 'built by go install');
}

/** Version by the program's own output: its build name ends in the release. */
async function ownVersion(command: string): Promise<string> {
  const { stdout, stderr } = await run(command, ['-version']);
  return `${stdout}${stderr}`.match(/v(\d+\.\d+\.\d+)/)?.[1] ?? '';
}

/** The path of an executable file on PATH. */
export function findOnPath(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

function executable(command: string, version: string, origin: string): VictoriaBinary {
  return {
    source: `${path.basename(command)} ${version} (${origin})`,
    version,
    start: ({ name, args, folder }) =>
      new ManagedProcess({ name, command, args, logFile: path.join(folder, 'server.log') }),
  };
}

function image(repository: string, version: string): VictoriaBinary {
  const tag = `${repository}:v${version}`;
  return {
    source: `docker image ${tag}`,
    version,
    start: ({ name, args, folder }, previous) =>
      new ContainerProcess({
        name,
        container: `penstock-${path.relative(RUN, folder).replace(/\W+/g, '-')}`,
        again: previous !== undefined,
        image: tag,
        args,
        folders: [folder],
        logFile: path.join(folder, 'server.log'),
      }),
  };
}

/** The unpacked package: its root holds `usr/bin`. */
export function debianPackage(): Promise<string> {
  return cached(`${PACKAGE}-debian`, async (folder) => {
    if (!succeeds('apt-get', ['--version']) || !succeeds('dpkg-deb', ['--version'])) {
      throw new Error(
        'no VictoriaMetrics to test with: none on PATH, no docker daemon answers, there is no Go 1.26 to build it with, ' +
          'and this is not a Debian to fetch its package from. Put victoria-metrics and vmagent on PATH.',
      );
    }
    if (!succeeds('apt-get', ['download', '--print-uris', PACKAGE])) await apt(['update'], folder);
    await apt(['download', PACKAGE], folder);
    const archive = readdirSync(folder).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${PACKAGE} left no .deb file in ${folder}`);
    await run('dpkg-deb', ['-x', path.join(folder, archive), folder]);
    const { stdout } = await run('dpkg-deb', ['--field', path.join(folder, archive), 'Version']);
    writeFileSync(path.join(folder, VERSION_FILE), stdout.match(/^[\d.]+/)?.[0] ?? '');
    rmSync(path.join(folder, archive));
  });
}

async function apt(args: string[], cwd: string): Promise<void> {
  try {
    await run('apt-get', ['-q', ...args], { cwd, timeout: 300_000 });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new Error(`apt-get ${args.join(' ')} failed:\n${stderr}`, { cause: error });
  }
}
