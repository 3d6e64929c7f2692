/**
 * `npm run chaos -- --minutes N --seed S`: a whole deployment of real processes under random faults, and the proof
 * that nothing was lost, repeated or put out of order. The same seed gives the same plan of faults.
 *
 * Exit code 0: everything held. 1: something did not; what, is printed. 2: wrong usage.
 */
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { report } from './report.ts';

const USAGE = 'usage: npm run chaos -- [--minutes N] [--seed S]   (3 minutes and seed 1 unless told)\n';

function options(): { minutes: number; seed: number } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '3' },
        seed: { type: 'string', default: '1' },
      },
    });
    const minutes = Number(values.minutes);
    const seed = Number(values.seed);
    return minutes > 0 && Number.isInteger(seed) ? { minutes, seed } : undefined;
  } catch {
    return undefined;
  }
}

const given = options();
if (given === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  process.exitCode = await runChaos({ seed: given.seed, durationMs: given.minutes * 60_000, say }).then(
    (result) => {
      say(report(result));
      return result.problems.length === 0 ? 0 : 1;
    },
    (error: unknown) => {
      process.stderr.write(
        `the run could not be made: ${error instanceof Error ? error.message : String(error)}\n`,
      );
      return 1;
    },
  );
}
