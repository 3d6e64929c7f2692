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

/**
 * The value of a numeric option, at least `least`.
 * @throws Error that says what is expected
 */
export function numberOption(
  name: string,
  text: string,
  { least, most = Number.MAX_SAFE_INTEGER, whole = true }: { least: number; most?: number; whole?: boolean },
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `of ${least} to ${most}`;
  throw new Error(`--${name} ${text}: expected a ${whole ? 'whole number' : 'number'} ${range}`);
}
