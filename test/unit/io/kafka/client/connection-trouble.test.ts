import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { ConnectionTrouble } from '../../../../../src/io/kafka/client/connection-trouble.ts';

interface Line {
  readonly level: number;
  readonly where: string;
  readonly error: string;
  readonly attempts: number;
  readonly advice?: string;
  readonly msg: string;
}

/** Connection trouble at a clock that the test moves, and the lines that it has logged. */
function observed() {
  const clock = { ms: 1_000_000 };
  const lines: Line[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { clock, lines, trouble: new ConnectionTrouble(log, () => clock.ms) };
}

const refused = new Error('connect ECONNREFUSED 10.0.0.1:9092');

test('the first failure is no trouble, the second is', () => {
  const { trouble, lines } = observed();
  trouble.failed('kafka:9092', refused);
  assert.deepEqual(lines, []);
  trouble.failed('kafka:9092', refused);
  assert.equal(lines.length, 1);
  const { level, where, error, attempts, msg } = lines[0]!;
  assert.deepEqual(
    { level, where, error, attempts, msg },
    {
      level: pino.levels.values['warn'],
      where: 'kafka:9092',
      error: refused.message,
      attempts: 2,
      msg: 'no connection to kafka:9092; trying again until it succeeds',
    },
  );
});

test('while it lasts there is one line in ten seconds, with the attempts so far', () => {
  const { trouble, lines, clock } = observed();
  for (let second = 0; second <= 30; second += 1) {
    trouble.failed('kafka:9092', refused);
    clock.ms += 1_000;
  }
  assert.deepEqual(
    lines.map(({ attempts }) => attempts),
    [2, 12, 22],
  );
});

test('brokers, and errors of one broker, are told apart', () => {
  const { trouble, lines } = observed();
  for (const message of ['connect ECONNREFUSED', 'read ECONNRESET']) {
    for (const where of ['a:9092', 'b:9092']) {
      trouble.failed(where, new Error(message));
      trouble.failed(where, new Error(message));
    }
  }
  assert.deepEqual(
    lines.map(({ where, error }) => `${where} ${error}`),
    ['a:9092', 'b:9092']
      .map((where) => `${where} connect ECONNREFUSED`)
      .concat(['a:9092 read ECONNRESET', 'b:9092 read ECONNRESET']),
  );
});

test('trouble that was not met for a minute has ended: the next failure is a first one', () => {
  const { trouble, lines, clock } = observed();
  trouble.failed('kafka:9092', refused);
  clock.ms += 60_001;
  trouble.failed('kafka:9092', refused);
  assert.deepEqual(lines, []);
  clock.ms += 60_000;
  trouble.failed('kafka:9092', refused);
  assert.equal(lines.length, 1);
});

test('a certificate that does not hold comes with advice', () => {
  const { trouble, lines } = observed();
  const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
  trouble.failed('kafka:9092', expired);
  trouble.failed('kafka:9092', expired);
  assert.match(lines[0]!.advice!, /the other side's certificate has expired/);
});
