/** `npm run fuzz -- [--decoder NAME] [--runs N] [--seed N]`: every decoder under property-based fuzzing. */
import { parseArgs } from 'node:util';
import { fuzz } from './check.ts';
import { FUZZ_TARGETS } from './targets.ts';

const { values } = parseArgs({
  options: {
    decoder: { type: 'string' },
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string' },
  },
});

function main(): number {
  const runs = Number(values.runs);
  const seed = values.seed === undefined ? undefined : Number(values.seed);
  if (!Number.isSafeInteger(runs) || runs < 1 || (seed !== undefined && !Number.isSafeInteger(seed))) {
    process.stderr.write('--runs and --seed take whole numbers, --runs above 0\n');
    return 2;
  }
  const targets = FUZZ_TARGETS.filter(({ name }) => values.decoder === undefined || name === values.decoder);
  if (targets.length === 0) {
    const names = FUZZ_TARGETS.map(({ name }) => name).join(', ');
    process.stderr.write(`no decoder ${JSON.stringify(values.decoder)}; expected one of ${names}\n`);
    return 2;
  }
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
