/** `npm run fuzz`: records of every kind through everything that reads them; with --decoder each decoder alone. */
import { availableParallelism } from 'node:os';
import { numberOption, scriptArguments } from '../lab/script-arguments.ts';
import { fuzzBatches } from './batch-target.ts';
import { fuzz } from './check.ts';
import { MOST_MEMORY, MOST_MS } from './cost.ts';
import { keepInput } from './failing-input.ts';
import { type Cost, RecordRun, type RunSummary } from './record-run.ts';
import { runShard } from './shards.ts';
import { FUZZ_TARGETS } from './targets.ts';

const USAGE = `npm run fuzz -- [--inputs N] [--seed S] [--processes N] [--input I]
npm run fuzz -- --decoder NAME|all [--runs N] [--seed S]
npm run fuzz -- --batches [--runs N] [--seed S]

Records through the worker (each encoding), replay, penstock decode, penstock dead and the drain. None may throw,
hold the thread for more than ${MOST_MS / 1000} s of CPU time, or take more than ${MOST_MEMORY / 2 ** 20} MiB.

  --inputs N       inputs in all (default 1000000)
  --seed S         those of an earlier run, which printed it
  --processes N    default: as many as there are cores
  --input I        input I of that seed alone, in this process

  --decoder NAME   property-based fuzzing of one decoder, or of all: the same twice gives the same, and no more
                   comes out than goes in allows
  --batches        record batches byte by byte, through what reads them from Kafka
  --runs N         inputs of each (default 100000)
`;

interface Arguments {
  readonly seed: number | undefined;
  readonly inputs: number;
  readonly processes: number;
  readonly input: number | undefined;
  readonly targets: typeof FUZZ_TARGETS | undefined;
  readonly batches: boolean;
  readonly runs: number;
}

function readArguments(): Arguments {
  const text = { type: 'string' } as const;
  const options = {
    inputs: { ...text, default: '1000000' },
    seed: text,
    processes: { ...text, default: String(availableParallelism()) },
    input: text,
    decoder: text,
    batches: { type: 'boolean', default: false } as const,
    runs: { ...text, default: '100000' },
  };
  return scriptArguments(USAGE, { options }, ({ values }) => {
    const { decoder, seed, input } = values;
    const targets = FUZZ_TARGETS.filter(({ name }) => decoder === 'all' || name === decoder);
    if (decoder !== undefined && targets.length === 0) {
      const names = FUZZ_TARGETS.map(({ name }) => name).join(', ');
      throw new Error(`--decoder ${decoder}: expected all or one of ${names}`);
    }
    return {
      seed: seed === undefined ? undefined : numberOption('seed', seed, { least: Number.MIN_SAFE_INTEGER }),
      inputs: numberOption('inputs', values.inputs, { least: 1 }),
      processes: numberOption('processes', values.processes, { least: 1, most: 256 }),
      input: input === undefined ? undefined : numberOption('input', input, { least: 0 }),
      targets: decoder === undefined ? undefined : targets,
      batches: values.batches,
      runs: numberOption('runs', values.runs, { least: 1 }),
    };
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function describe({ index, reader, bytes, cost }: Cost, unit: string, divisor: number): string {
  if (index < 0) return 'none stood out';
  return `${Math.round(cost / divisor)} ${unit}: input ${index}, ${reader}, ${bytes} bytes`;
}

async function fuzzRecords({
  seed = Date.now() % 2 ** 31,
  inputs,
  processes,
  input,
}: Arguments): Promise<number> {
  const began = performance.now();
  print(`seed ${seed}`);
  const summaries: RunSummary[] = [];
  if (input !== undefined) {
    const run = new RecordRun(seed);
    run.input(input);
    summaries.push(run.finish());
  } else {
    const shards = Array.from({ length: processes }, (_, first) =>
      runShard({ seed, first, end: inputs, step: processes }),
    );
    summaries.push(...(await Promise.all(shards)).flat());
  }
  const sum = (count: (summary: RunSummary) => number) =>
    summaries.reduce((all, each) => all + count(each), 0);
  const most = (cost: (summary: RunSummary) => Cost) =>
    summaries.map(cost).reduce((a, b) => (b.cost > a.cost ? b : a));
  const seconds = Math.round((performance.now() - began) / 1000);
  print(`${sum((each) => each.inputs)} inputs in ${seconds} s`);
  print(
    `taken ${sum((each) => each.outcomes.taken)}, in part ${sum((each) => each.outcomes.part)}, refused ${sum((each) => each.outcomes.refused)}`,
  );
  print(
    `slowest: ${describe(
      most((each) => each.slowest),
      'ms of CPU time',
      1,
    )}`,
  );
  print(
    `largest memory: ${describe(
      most((each) => each.largest),
      'MiB',
      2 ** 20,
    )}`,
  );
  const failures = summaries.flatMap((each) => each.failures);
  for (const failure of failures) {
    const { index, reader, bytes, what } = failure;
    print(`\nFAILED: input ${index}, ${reader}, ${bytes} bytes: ${what}`);
    print(`kept as ${keepInput(seed, failure)}; again: npm run fuzz -- --seed ${seed} --input ${index}`);
  }
  return failures.length > 0 ? 1 : 0;
}

function fuzzDecoders(targets: typeof FUZZ_TARGETS, runs: number, seed: number | undefined): number {
  let failed = 0;
  for (const target of targets) {
    const started = performance.now();
    try {
      const { inputs, refused, rejected } = fuzz(target, { runs, seed });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      print(
        `${target.name}: ${inputs} inputs in ${seconds} s, ${refused} refused, of ${rejected} a part set aside`,
      );
    } catch (error) {
      failed++;
      print(`${target.name}: FAILED\n${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failed > 0 ? 1 : 0;
}

async function fuzzRecordBatches({ runs, seed }: Arguments): Promise<number> {
  const { read, faults } = await fuzzBatches({ runs, seed });
  print(`${runs} record sets: ${read} records read, ${faults} batches that cannot be read`);
  return 0;
}

const given = readArguments();
process.exitCode = given.batches
  ? await fuzzRecordBatches(given)
  : given.targets === undefined
    ? await fuzzRecords(given)
    : fuzzDecoders(given.targets, given.runs, given.seed);
