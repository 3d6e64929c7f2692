import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import { expectedName } from '../../core/model/nearest.ts';
import { printableJson, printableLines } from '../../core/model/printable.ts';
import { formatHelp } from './text/help-text.ts';

/** Exit codes of every command. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USAGE = 2;

const SHARED = {
  config: { type: 'string', short: 'c' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const sharedHelp = (json = 'print one JSON object, for programs') => `
  -c, --config FILE   the configuration (default: PENSTOCK_CONFIG, else config/penstock.yml)
  --json              ${json}
  -h, --help          print this
`;

/** A command's own arguments and help, beside the shared options --config, --json and --help. */
export interface CommandSpec<O extends ParseArgsOptionsConfig> {
  readonly name: string;
  /** The text of --help: a line with the usage, a blank line, what the command does and its own options. */
  readonly help: string;
  readonly options?: O;
  /** Help text of --json. Default: it prints one JSON object. */
  readonly jsonHelp?: string;
  /** Number of positional arguments. Default: none. */
  readonly positionals?: { readonly min: number; readonly max: number };
}

/**
 * Parses a command's arguments. With --help it prints the help and returns undefined: the command is done.
 *
 * @throws ConfigError for an unknown option, a missing value, or too few or too many arguments
 */
export function parseCommand<const O extends ParseArgsOptionsConfig = Record<never, never>>(
  argv: readonly string[],
  spec: CommandSpec<O>,
) {
  const options = { ...spec.options, ...SHARED } as O & typeof SHARED;
  const parsed = parseOrExplain([...argv], options, spec.name);
  const { config, json, help } = parsed.values as { config?: string; json?: boolean; help?: boolean };
  if (help) {
    process.stdout.write(`${formatHelp(`${spec.help.trim()}\n${sharedHelp(spec.jsonHelp)}`)}\n`);
    return undefined;
  }
  const { min, max } = spec.positionals ?? { min: 0, max: 0 };
  const given = parsed.positionals.length;
  if (given < min) throw usageError(spec.name, `an argument is missing; expected ${count(min, max)}`);
  if (given > max) {
    throw usageError(
      spec.name,
      `unexpected argument ${parsed.positionals[max]}; expected ${count(min, max)}`,
    );
  }
  return {
    values: parsed.values,
    positionals: parsed.positionals,
    configFile: config ?? (process.env.PENSTOCK_CONFIG || 'config/penstock.yml'),
    json: json ?? false,
  };
}

function parseOrExplain<O extends ParseArgsOptionsConfig>(args: string[], options: O, command: string) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    // Node has the name of the option in its message only.
    const isUnknown = (error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
    const unknown = isUnknown ? /'(-[^']*)'/.exec(errorMessage(error))?.[1] : undefined;
    if (unknown === undefined) throw usageError(command, errorMessage(error));
    const known = Object.keys(options).map((name) => `--${name}`);
    throw usageError(command, `unknown option ${unknown}; ${expectedName(unknown, known)}`);
  }
}

function count(min: number, max: number): string {
  if (max === 0) return 'none';
  return min === max ? `${min}` : `${min} to ${max}`;
}

/** Wrong usage of a command: says what was wrong and where the help is. */
export function usageError(command: string, message: string): ConfigError {
  return new ConfigError(`penstock ${command}: ${message}\nSee penstock ${command} --help.`);
}

/** Prints an error of a command and returns the exit code: a ConfigError as its message, a defect with its stack. */
export function reportError(
  error: unknown,
  print = (text: string) => void process.stderr.write(text),
): number {
  if (error instanceof ConfigError) {
    print(`${printableLines(error.message)}\n`);
    return WRONG_USAGE;
  }
  print(`${printableLines(String(error instanceof Error ? error.stack : error))}\n`);
  return FAILED;
}

/** One JSON object on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(value, 2)}\n`);
}
