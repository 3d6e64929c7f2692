/**
 * `npm run kafka-matrix`: the tests that depend on Kafka, on the oldest Kafka that they were seen to run on, on the one that
 * `npm test` takes, and on the newest.
 *
 * Exit code 0: all passed on all. 1: some did not; where, is printed. 2: wrong usage.
 */
import { spawnSync } from 'node:child_process';
import { scriptArguments } from './lab/script-arguments.ts';
import { KAFKA_VERSION } from './lab/servers/kafka-distribution.ts';

const OLDEST = '3.8.1';
const NEWEST = '4.4.0';
const FAULTS = ['kafka', 'worker', 'drain', 'replay'].map((name) => `test/faults/${name}`);
const SUITES = [
  ...['kafka', 'worker', 'drain', 'replay', 'topics', 'dead-redrive', 'status'].map(
    (name) => `test/integration/${name}`,
  ),
  ...FAULTS,
];

const USAGE = `npm run kafka-matrix -- [--kafka VERSION ...] [PATH ...]

  --kafka VERSION   on this Kafka (default: ${OLDEST}, ${KAFKA_VERSION} and ${NEWEST}); repeat it for several
  PATH              only test files whose path contains it (default: ${SUITES.join(' ')})
`;

const { versions, paths } = scriptArguments(
  USAGE,
  { allowPositionals: true, options: { kafka: { type: 'string', multiple: true } } },
  ({ positionals, values }) => ({
    versions: values.kafka ?? [...new Set([OLDEST, KAFKA_VERSION, NEWEST])],
    paths: positionals.length > 0 ? positionals : SUITES,
  }),
);

const results = versions.map((version) => {
  process.stdout.write(`\n=== Kafka ${version}\n`);
  const { status } = spawnSync(process.execPath, ['test/run.ts', ...paths], {
    stdio: 'inherit',
    env: { ...process.env, PENSTOCK_TEST_KAFKA: version },
  });
  return { version, held: status === 0 };
});
process.stdout.write('\n');
for (const { version, held } of results)
  process.stdout.write(`Kafka ${version}: ${held ? 'passed' : 'FAILED'}\n`);
process.exitCode = results.every(({ held }) => held) ? 0 : 1;
