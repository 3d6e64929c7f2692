/**
 * `npm run coordinators -- --kills N --first I`: the coordinator of a group, or of its transactions, is killed at each
 * step of a transaction, and the proof that no record was lost, repeated or put out of order.
 *
 * `PENSTOCK_TEST_KAFKA=3.8.1 npm run coordinators` runs it on that Kafka.
 * Exit code 0: everything held. 1: something did not, and is printed. 2: wrong usage.
 */
import { exitAfter, numberArguments } from '../../lab/script-arguments.ts';
import { killCoordinators } from './coordinators.ts';

const USAGE = `npm run coordinators -- [--kills N] [--first I]

  --kills N   how many (default 10); each meets every step of a transaction once and takes some 15 s
  --first I   the number of the first, from 0 (default 0), so that one run can go on where another has ended

PENSTOCK_TEST_KAFKA=3.8.1 in the environment: on another version of Kafka.
`;

const { kills, first } = numberArguments(USAGE, {
  kills: { default: 10, least: 1 },
  first: { default: 0, least: 0 },
});
await exitAfter(killCoordinators({ kills, first, say: (line) => process.stdout.write(`${line}\n`) }));
