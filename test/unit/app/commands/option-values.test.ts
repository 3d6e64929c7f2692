import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTime, timeArgument } from '../../../../src/app/commands/option-values.ts';

const NOW = 1_760_000_000_000;

test('times are RFC 3339 or relative', () => {
  assert.equal(parseTime('-6h', NOW), NOW - 6 * 3_600_000);
  assert.equal(parseTime('-90s', NOW), NOW - 90_000);
  assert.equal(parseTime('2026-11-22T10:00:00+01:00', NOW), Date.UTC(2026, 10, 22, 9));
  assert.equal(parseTime('2026-11-22', NOW), Date.UTC(2026, 10, 22));
  for (const text of ['', 'yesterday', '6', '2026-13-01', '2026-11-22T10:00:00']) {
    assert.equal(parseTime(text, NOW), undefined, text);
  }
});

test('an age without its minus is no time, of whatever command, and the error says what is missing', () => {
  for (const command of ['dead', 'replay'])
    for (const text of ['6h', '90s', '1.5d'])
      assert.throws(
        () => timeArgument(command, 'from', text, NOW),
        new RegExp(`penstock ${command}: --from ${text}: an age has a minus: did you mean -${text}\\?`),
      );
});
