import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from '../../../../../src/app/commands/text/table.ts';

const ROWS = [
  ['NODE', 'TASKS', 'SAYS'],
  ['a', '0,2,4,6,8,10,12,14', 'nobody reads what is there, as it seems'],
  ['b', '1', 'well'],
];

test('without a width a row is a line', () => {
  assert.equal(
    formatTable(ROWS, Number.POSITIVE_INFINITY),
    [
      'NODE  TASKS               SAYS',
      'a     0,2,4,6,8,10,12,14  nobody reads what is there, as it seems',
      'b     1                   well',
    ].join('\n'),
  );
});

test('what is wider is broken where a cell allows it, and nothing is lost', () => {
  assert.equal(
    formatTable(ROWS, 36),
    [
      'NODE  TASKS          SAYS',
      'a     0,2,4,6,8,10,  nobody reads',
      '      12,14          what is there,',
      '                     as it seems',
      'b     1              well',
    ].join('\n'),
  );
  const words = ROWS.flat().join(' ').split(/[ ,]+/).sort();
  for (let width = 1; width < 80; width++) {
    const text = formatTable(ROWS, width);
    assert.deepEqual(
      text
        .trim()
        .split(/[\s,]+/)
        .sort(),
      words,
    );
    if (width >= 32)
      assert.ok(
        text.split('\n').every((line) => line.length <= width),
        `${width}\n${text}`,
      );
  }
});

test('a word is not broken, however narrow the terminal is', () => {
  const text = formatTable([['TOPIC'], ['a-topic-with-a-long-name']], 10);
  assert.equal(text, 'TOPIC\na-topic-with-a-long-name');
});

test('what goes on below an indented cell is indented too', () => {
  const text = formatTable([['PLAN'], ['  records older than that will be deleted']], 24);
  assert.equal(text, 'PLAN\n  records older than\n  that will be deleted');
});
