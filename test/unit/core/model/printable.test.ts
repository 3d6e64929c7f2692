import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTable } from '../../../../src/app/commands/text/table.ts';
import { wrap } from '../../../../src/app/commands/text/wrap.ts';
import { printable, printableJson, printableLines, quoted } from '../../../../src/core/model/printable.ts';
import { obeyed } from '../../../support/obeyed.ts';

const NASTY = fc.string({
  unit: fc.constantFrom(
    'a',
    ' ',
    '"',
    '\\',
    '\n',
    '\r',
    '\t',
    '\u001b',
    '\u007f',
    '\u009b',
    '\u202e',
    '\u2028',
    'é',
    '😀',
  ),
});

test('nothing that a terminal obeys is left, and JSON is the same JSON', () => {
  fc.assert(
    fc.property(NASTY, (text) => {
      assert.deepEqual(obeyed(printable(text)), []);
      assert.deepEqual(obeyed(quoted(text)), []);
      assert.equal(JSON.parse(quoted(text)), text);
      assert.deepEqual(obeyed(printableLines(text).replaceAll('\n', '')), []);
      const json = printableJson({ [text]: [text] }, 2);
      assert.deepEqual(obeyed(json.replaceAll('\n', '')), []);
      assert.deepEqual(JSON.parse(json), { [text]: [text] });
    }),
  );
});

test('tables and wrapped text keep to their lines, whatever is in them', () => {
  fc.assert(
    fc.property(NASTY, (text) => {
      const rows = formatTable([
        ['A', 'B'],
        [text, text],
      ]).split('\n');
      assert.equal(rows.length, 2);
      for (const line of [...rows, ...wrap(text, 2)]) assert.deepEqual(obeyed(line), []);
    }),
  );
});
