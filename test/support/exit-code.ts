import { errorMessage } from '../../src/core/model/errors.ts';

/** Has this process end with 0 when the run held, and with 1 when it did not, or could not be made, which is said. */
export async function exitAfter(run: Promise<boolean>): Promise<void> {
  try {
    process.exitCode = (await run) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`the run could not be made: ${errorMessage(error)}\n`);
    process.exitCode = 1;
  }
}
