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
