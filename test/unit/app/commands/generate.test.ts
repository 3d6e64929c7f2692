import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../../../src/app/commands/generate.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

for (const [argv, said] of [
  [['--series', '0'], /--series 0: expected a whole number from 1/],
  [['--seed', '-1'], /seed/],
  [['--interval', 'soon'], /--interval soon: expected a time such as/],
  [['--duration', '0s'], /--duration 0s: expected a time/],
  [['--series-per-record', '1.5'], /--series-per-record 1\.5: expected a whole number/],
] as const) {
  test(`generate ${argv.join(' ')} is refused before anything starts`, async () => {
    await assert.rejects(
      run([...argv]),
      (error: Error) => error instanceof ConfigError && said.test(error.message),
    );
  });
}
