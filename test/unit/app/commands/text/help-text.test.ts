import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHelp } from '../../../../../src/app/commands/text/help-text.ts';

const HELP = `
penstock do THING [--often]
penstock do list

Does a thing, and tells what became of it; what it is
stands in the file.

  --often        does it again and again, until somebody
                 says that it is enough
  --into-a-place WHERE
                 puts it there
    --deeper     … below

  penstock do 'an example that is as long as it likes to be'
Exit code 0: it was done.
`;

test('a help text as it is written fits a wide terminal', () => {
  assert.equal(
    formatHelp(HELP, 80),
    [
      'penstock do THING [--often]',
      'penstock do list',
      '',
      'Does a thing, and tells what became of it; what it is stands in the file.',
      '',
      '  --often        does it again and again, until somebody says that it is enough',
      '  --into-a-place WHERE',
      '                 puts it there',
      '    --deeper     … below',
      '',
      "  penstock do 'an example that is as long as it likes to be'",
      'Exit code 0: it was done.',
    ].join('\n'),
  );
});

test('on a narrow one texts go on below where they began', () => {
  const lines = formatHelp(HELP, 40).split('\n');
  assert.deepEqual(lines.slice(3, 6), [
    'Does a thing, and tells what became of',
    'it; what it is stands in the file.',
    '',
  ]);
  assert.deepEqual(lines.slice(6, 9), [
    '  --often        does it again and',
    '                 again, until somebody',
    '                 says that it is enough',
  ]);
});
