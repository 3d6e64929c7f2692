/** Commands that the documents show exist, with their options. docs/reference/commands.md has the help of all (reference.test.ts). */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../lab/cache.ts';

const REFERENCE = 'docs/reference/commands.md';
const sections = readFileSync(path.join(ROOT, REFERENCE), 'utf8')
  .split(/^## penstock /m)
  .slice(1);
/** Command ▸ its help. */
const helps = new Map(sections.map((section) => [section.split('\n')[0]!, section]));

/** Lines of code, and code within text, that call penstock. */
function calls(text: string): string[] {
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
  const indented = [...text.matchAll(/(?:^ {4}.*\n)+/gm)].map(([block]) => block);
  const inline = [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, code]) => code!,
  );
  const lines = [...blocks, ...indented].flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'));
  return [...lines, ...inline]
    .map(
      (line) => /(?:^|\s)(?:penstock|npm run penstock --) +([a-z]+\b.*)/.exec(line.replace(/ #.*$/, ''))?.[1],
    )
    .filter((call) => call !== undefined);
}

const shown = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT })
  .filter((file) => file !== REFERENCE)
  .flatMap((file) => calls(readFileSync(path.join(ROOT, file), 'utf8')).map((call) => ({ file, call })));

test('every command that is shown exists, with its options', () => {
  assert.ok(helps.size > 10 && shown.length > 60, `${helps.size} commands, ${shown.length} calls`);
  const faults = shown.flatMap(({ file, call }) => {
    const [name] = call.split(/\s/);
    const help = helps.get(name!);
    if (help === undefined) return [`${file}: penstock ${call}: no such command`];
    const [own] = call.split('|');
    return [...own!.matchAll(/(?<=\s)(--[a-z-]+|-[a-z])\b/g)]
      .map(([option]) => option)
      .filter((option) => !new RegExp(`(?<![\\w-])${option}(?![\\w-])`).test(help))
      .map((option) => `${file}: penstock ${call}: no option ${option}`);
  });
  assert.deepEqual(faults, []);
});
