/**
 * `npm run chaos -- --minutes N --seed S`: a whole deployment of real processes under random faults, and the proof
 * that nothing was lost, repeated or put out of order. The same seed gives the same plan of faults.
 *
 * Exit code 0: everything held. 1: something did not, and is printed. 2: wrong usage.
 */
import { exitAfter, numberArguments } from '../lab/script-arguments.ts';
import { runChaos } from './chaos.ts';
import { report } from './report.ts';

const USAGE = `npm run chaos -- [--minutes N] [--seed S]

  --minutes N   how long there are faults (default 3)
  --seed S      other faults at other times (default 1)
`;

const { minutes, seed } = numberArguments(USAGE, {
  minutes: { default: 3, least: 0.1, whole: false },
  seed: { default: 1, least: 0 },
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const held = async () => {
  const result = await runChaos({ seed, durationMs: minutes * 60_000, say });
  say(report(result));
  return result.problems.length === 0;
};
await exitAfter(held());
