import { type ParseArgsConfig, parseArgs } from 'node:util';

/**
 * Parses the arguments of an npm script; `read` turns them into the result.
 *
 * `--help` prints the usage and ends the process with 0. An error, also one that `read` throws, is printed with the
 * usage and ends it with 2.
 */
export function scriptArguments<Options extends ParseArgsConfig, Result>(
  usage: string,
  options: Options,
  read: (given: ReturnType<typeof parseArgs<Options>>) => Result,
): Result {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return read(parseArgs(options));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

export interface NumberOption {
  readonly default: number;
  readonly least: number;
  readonly most?: number;
  /** Default: only whole numbers. */
  readonly whole?: boolean;
}

/** The arguments of a script whose options are all numbers. */
export function numberArguments<Name extends string>(
  usage: string,
  options: Readonly<Record<Name, NumberOption>>,
): Record<Name, number> {
  const all = Object.entries<NumberOption>(options);
  const texts = all.map(
    ([name, option]) => [name, { type: 'string', default: String(option.default) }] as const,
  );
  return scriptArguments(usage, { options: Object.fromEntries(texts) }, ({ values }) => {
    const numbers = all.map(([name, option]) => [name, numberOption(name, values[name]!, option)] as const);
    return Object.fromEntries(numbers) as Record<Name, number>;
  });
}

/**
 * The value of a numeric option, at least `least`.
 * @throws Error that says what is expected
 */
export function numberOption(
  name: string,
  text: string,
  { least, most = Number.MAX_SAFE_INTEGER, whole = true }: Omit<NumberOption, 'default'>,
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `of ${least} to ${most}`;
  throw new Error(`--${name} ${text}: expected a ${whole ? 'whole number' : 'number'} ${range}`);
}

/** Sets the exit code: 0 when the run held, 1 when it did not or could not be made; prints the error of the latter. */
export async function exitAfter(run: Promise<boolean>): Promise<void> {
  try {
    process.exitCode = (await run) ? 0 : 1;
  } catch (error) {
    process.stderr.write(
      `the run could not be made: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}
