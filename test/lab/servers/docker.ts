/** Servers in containers, for machines that have a docker daemon but neither the binaries nor Java. */
import { ManagedProcess, succeeds, whenThisProcessEnds } from '../process.ts';

export interface ContainerOptions {
  /** Name for error messages. */
  name: string;
  /** The container's name, unique on this machine. */
  container: string;
  /** Restart the stopped container of this name, with its data, instead of creating one. */
  again: boolean;
  image: string;
  args: string[];
  env?: Record<string, string>;
  /** Folders mounted under the same path as here, written as this user. */
  folders: string[];
  logFile: string;
}

let answers: boolean | undefined;

/** Whether a docker daemon answers. The client alone is not enough. */
export function dockerAnswers(): boolean {
  return (answers ??= succeeds('docker', ['version', '--format', '{{.Server.Version}}'], 5000));
}

/**
 * A container on the host's network, in the foreground of a docker client of ours, so that its output
 * and its exit are those of a process. Signals go to the container; `pid` is the client's.
 */
export class ContainerProcess extends ManagedProcess {
  readonly #container: string;

  constructor(options: ContainerOptions) {
    const { name, container, again, logFile } = options;
    super({
      name,
      command: 'docker',
      args: again ? ['start', '--attach', container] : runArguments(options),
      logFile,
    });
    this.#container = container;
    if (!again) whenThisProcessEnds(['docker', 'rm', '--force', container]);
  }

  override signal(signal: NodeJS.Signals): void {
    if (this.exit === undefined) docker(['kill', '--signal', signal, this.#container]);
  }

  override async discard(): Promise<void> {
    docker(['rm', '--force', this.#container]);
    await this.waitForExit();
  }
}

function runArguments({ container, env = {}, folders, image, args }: ContainerOptions): string[] {
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  return [
    ...['run', '--name', container, '--network', 'host'],
    ...(folders.length > 0 ? ['--user', user] : []),
    ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...folders.flatMap((folder) => ['--volume', `${folder}:${folder}`]),
    image,
    ...args,
  ];
}

/** Ignores errors: the container has just ended, and the exit of its client follows. */
function docker(args: string[]): void {
  succeeds('docker', args, 30_000);
}
