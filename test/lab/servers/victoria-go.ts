/** VictoriaMetrics' programs, built by `go install`; needs Go 1.26 or later. */
import { execFile, execFileSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { cached } from '../cache.ts';

const run = promisify(execFile);

const MODULE = 'github.com/VictoriaMetrics/VictoriaMetrics';
/** Minor version of Go 1 that the releases need. */
const GO_MINOR = 26;
/** With an empty build cache and module cache on a slow machine. */
const BUILD_MS = 15 * 60_000;

let goodGo: boolean | undefined;

/** Whether there is a Go that builds current releases; none is downloaded. */
export function hasGo(): boolean {
  goodGo ??= findGo();
  return goodGo;
}

function findGo(): boolean {
  try {
    const version = execFileSync('go', ['env', 'GOVERSION'], { env: environment(), encoding: 'utf8' });
    const [, minor = '0'] = /^go1\.(\d+)/.exec(version) ?? [];
    return Number(minor) >= GO_MINOR;
  } catch {
    return false;
  }
}

/** Name of the folder in the cache. */
export function builtFolder(program: string, version: string): string {
  return `${program}-${version}`;
}

/** The path of a program, built unless it is in the cache: half a minute, most of it compiling. */
export async function buildWithGo(program: string, version: string): Promise<string> {
  const folder = await cached(builtFolder(program, version), async (draft) => {
    // Without it the program does not know its version.
    const flags = `-X ${MODULE}/lib/buildinfo.Version=${program}-tags-v${version}`;
    try {
      await run('go', ['install', '-ldflags', flags, `${MODULE}/app/${program}@v${version}`], {
        env: { ...environment(), GOBIN: draft },
        timeout: BUILD_MS,
        maxBuffer: 16 * 1024 * 1024,
      });
    } catch (error) {
      const { stderr = '' } = error as { stderr?: string };
      throw new Error(`go install of ${program} ${version} failed:\n${stderr}`, { cause: error });
    }
  });
  return path.join(folder, program);
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, GOTOOLCHAIN: 'local' };
}
