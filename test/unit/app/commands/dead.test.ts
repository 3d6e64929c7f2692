import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../../../src/app/commands/dead.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

test('wrong usage is told before Kafka is asked', async () => {
  const wrong: [string[], RegExp][] = [
    [['redriv'], /unknown action redriv; did you mean redrive\?|unknown action redriv; .*redrive/],
    [['list', '--again'], /--again is no option of list/],
    [['list', '0:1'], /unexpected argument 0:1/],
    [['show'], /expected PARTITION:OFFSET/],
    [['show', '7'], /7: expected PARTITION:OFFSET/],
    [['list', '--from', 'yesterday'], /--from yesterday: expected a time/],
    [['redrive', '--limit', '0'], /--limit 0: expected a whole number/],
    [['redrive', '--from', '-6h', '-c', '/no/such/file'], /\/no\/such\/file: cannot be read/],
  ];
  for (const [argv, message] of wrong) {
    await assert.rejects(run(argv), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});
