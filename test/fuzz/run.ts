/** `npm run fuzz -- [--decoder NAME] [--runs N] [--seed N]`: every decoder under property-based fuzzing. */
import { numberOption, scriptArguments } from '../support/script-arguments.ts';
import { fuzz } from './check.ts';
import { FUZZ_TARGETS } from './targets.ts';

const USAGE = `npm run fuzz -- [--decoder NAME] [--runs N] [--seed S]

  --decoder NAME   only this one
  --runs N         inputs of each decoder (default 100000)
  --seed S         the inputs of an earlier run, which printed it
`;

function main(): number {
  const { runs, seed, targets } = scriptArguments(
    USAGE,
    {
      options: {
        decoder: { type: 'string' },
        runs: { type: 'string', default: '100000' },
        seed: { type: 'string' },
      },
    },
    ({ values: { decoder, runs, seed } }) => {
      const targets = FUZZ_TARGETS.filter(({ name }) => decoder === undefined || name === decoder);
      const names = FUZZ_TARGETS.map(({ name }) => name).join(', ');
      if (targets.length === 0) throw new Error(`--decoder ${decoder}: expected one of ${names}`);
      return {
        runs: numberOption('runs', runs, { least: 1 }),
        seed: seed === undefined ? undefined : numberOption('seed', seed, { least: Number.MIN_SAFE_INTEGER }),
        targets,
      };
    },
  );
  let failed = 0;
  for (const target of targets) {
    const started = performance.now();
    try {
      const { inputs, refused, rejected } = fuzz(target, { runs, seed });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(
        `${target.name}: ${inputs} inputs in ${seconds} s, ${refused} refused, of ${rejected} a part set aside\n`,
      );
    } catch (error) {
      failed++;
      process.stdout.write(
        `${target.name}: FAILED\n${error instanceof Error ? error.message : String(error)}\n`,
      );
    }
  }
  return failed > 0 ? 1 : 0;
}

process.exitCode = main();
