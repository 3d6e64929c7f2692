import { DONE, reportError, WRONG_USAGE } from './app/commands/command.ts';
import { formatHelp } from './app/commands/text/help-text.ts';
import { version } from './app/commands/version.ts';
import { ConfigError } from './core/model/errors.ts';
import { expectedName } from './core/model/nearest.ts';

type Run = (argv: string[]) => Promise<number>;

interface Command {
  readonly summary: string;
  /** Imports the command's module: a command pays for its own dependencies only. */
  readonly load: () => Promise<Run>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  worker: {
    summary: 'ingest topic ▸ task topics',
    load: async () => (await import('./app/commands/worker.ts')).run,
  },
  drain: {
    summary: 'task partitions of one vmagent ▸ that vmagent',
    load: async () => (await import('./app/commands/drain.ts')).run,
  },
  topics: {
    summary: 'plan | apply: the topics that the configuration needs',
    load: async () => (await import('./app/commands/topics.ts')).run,
  },
  dead: {
    summary: 'list | show | redrive: what could not be used',
    load: async () => (await import('./app/commands/dead.ts')).run,
  },
  replay: {
    summary: 'a range of a topic again: through a route, into storage or a file',
    load: async () => (await import('./app/commands/replay.ts')).run,
  },
  explain: {
    summary: 'a series ▸ route, each relabel step, group, task, partition, vmagent',
    load: async () => (await import('./app/commands/explain.ts')).run,
  },
  decode: {
    summary: 'a record ▸ encoding, series and samples, and what would be rejected, offline',
    load: async () => (await import('./app/commands/decode.ts')).run,
  },
  status: {
    summary: 'workers, drains, lag and dead letters of a running deployment',
    load: async () => (await import('./app/commands/status.ts')).run,
  },
  forget: {
    summary: 'delete what a node left behind that is not configured any more',
    load: async () => (await import('./app/commands/forget.ts')).run,
  },
  check: {
    summary: 'validate the configuration, offline',
    load: async () => (await import('./app/commands/check.ts')).run,
  },
  generate: {
    summary: 'write made-up business metrics to the ingest topic, for trials',
    load: async () => (await import('./app/commands/generate.ts')).run,
  },
  relabel: {
    summary: 'apply relabel rules to JSON lines on standard input',
    load: async () => {
      const { relabelCommand } = await import('./app/commands/relabel.ts');
      return (argv) => relabelCommand(argv, process);
    },
  },
};

const HELP = `penstock COMMAND [OPTIONS]

Kafka-first stream processor for metrics.

Commands
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}

  penstock help COMMAND   options of one command
  penstock --version      version

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
`;

async function main(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    process.stdout.write(`${formatHelp(HELP)}\n`);
    return DONE;
  }
  if (first === '--version') {
    process.stdout.write(`${version()}\n`);
    return DONE;
  }
  if (first === undefined) {
    process.stderr.write(`${formatHelp(HELP)}\n`);
    return WRONG_USAGE;
  }
  return first === 'help' ? await runCommand(rest[0]!, ['--help']) : await runCommand(first, rest);
}

async function runCommand(name: string, argv: string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const expected = expectedName(name, [...Object.keys(COMMANDS), 'help']);
    throw new ConfigError(`penstock: unknown command ${name}; ${expected}\nSee penstock --help.`);
  }
  const run = await command.load();
  return await run(argv);
}

// A reader that has seen enough (penstock … | head) is no failure. Whoever writes a result there that has to be whole
// listens too, and says that it was cut off.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (process.stdout.listenerCount('error') > 1) return;
  if (error.code !== 'EPIPE') throw error;
  process.exit(DONE);
});

// No process.exit: output still in the pipe must get out.
process.exitCode = await main(process.argv.slice(2)).catch(reportError);
