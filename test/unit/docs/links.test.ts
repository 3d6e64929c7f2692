/** Every link and path in the documents leads to something in the repository. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../lab/cache.ts';

const DOCUMENTS = globSync(['*.md', '{docs,bench,deploy,test}/**/*.md'], { cwd: ROOT })
  // Recorded elsewhere.
  .filter((file) => !file.startsWith('test/conformance/vectors/'))
  .sort();

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** Without code: what stands there is no link and no heading. */
function prose(file: string): string {
  return read(file)
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/(`+)[^`]+\1/g, (code) => code.replaceAll('[', '('));
}

/** Anchors of a page, as GitHub makes them of headings. */
function anchorsOf(file: string): Set<string> {
  const seen = new Map<string, number>();
  const headings = [
    ...read(file)
      .replace(/^```[\s\S]*?^```$/gm, '')
      .matchAll(/^#{1,6} (.+)$/gm),
  ];
  return new Set(
    headings.map(([, text]) => {
      const slug = text!
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
        .replaceAll(' ', '-');
      const before = seen.get(slug) ?? 0;
      seen.set(slug, before + 1);
      return before === 0 ? slug : `${slug}-${before}`;
    }),
  );
}

function faultOf(file: string, target: string): string | undefined {
  const [location = '', anchor] = target.split('#');
  const to = location === '' ? file : path.join(path.dirname(file), location);
  if (!existsSync(path.join(ROOT, to))) return `${file}: ${target}: there is no ${to}`;
  if (anchor === undefined || !to.endsWith('.md')) return undefined;
  return anchorsOf(to).has(anchor) ? undefined : `${file}: ${target}: ${to} has no such heading`;
}

test('every relative link and its anchor resolves', () => {
  const links = DOCUMENTS.flatMap((file) =>
    [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({ file, target: target! })),
  ).filter(({ target }) => !/^[a-z]+:/.test(target));
  assert.ok(links.length > 50, `${links.length} links`);
  const faults = links
    .map(({ file, target }) => faultOf(file, target))
    .filter((fault) => fault !== undefined);
  assert.deepEqual(faults, []);
});

test('every page of docs can be reached from its index', () => {
  const reached = new Set<string>();
  const visit = (file: string) => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const [, target] of prose(file).matchAll(/\]\((?!https?:)([^)\s#]+\.md)(?:#[^)]*)?\)/g)) {
      visit(path.join(path.dirname(file), target!));
    }
  };
  visit('docs/README.md');
  assert.deepEqual(
    DOCUMENTS.filter((file) => file.startsWith('docs/') && !reached.has(file)),
    [],
  );
});

/** Documents as text, comment or message names them, from the root of the repository. */
const NAMED =
  /(?<![\w./-])(?:docs|bench|test|deploy)\/[\w./-]*\w\.md\b|\b(?:ARCHITECTURE|CONTRIBUTING|CHANGELOG|DESIGN)\.md\b/g;

test('what text, comments and messages name as a document is in the repository', () => {
  const files = globSync(
    ['*.md', '{docs,bench,deploy,test,src,tools,config}/**/*.{md,ts,yml,json}', 'bin/*'],
    {
      cwd: ROOT,
    },
  ).filter((file) => !file.includes('test/conformance/vectors/') && !file.includes('test/cases/'));
  assert.ok(files.length > 400, `${files.length} files`);
  const missing = files.flatMap((file) =>
    [...read(file).matchAll(NAMED)]
      .map(([name]) => name)
      .filter((name) => !existsSync(path.join(ROOT, name)))
      .map((name) => `${file}: ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('nothing refers to what only its authors have', () => {
  const files = globSync(['*.md', '{docs,bench,deploy,config,src,test}/**/*.{md,yml,ts}'], {
    cwd: ROOT,
  }).filter((file) => !file.endsWith('links.test.ts') && !/^test\/(cases|conformance\/vectors)\//.test(file));
  const elsewhere = /\bDESIGN\b|\b[Ii]ssue #?\d+/;
  assert.deepEqual(
    files.filter(
      (file) => elsewhere.test(read(file)) || (file.endsWith('.md') && read(file).includes('../shared')),
    ),
    [],
  );
});

/** Paths below src/, as the map of the code and comments name them: a file, or a folder within a floor. */
const IN_SOURCE = /(?<![\w./-])(?:src\/)?((?:core|io|services|app)\/(?:[\w-]+\/)*(?:[\w-]+\.ts\b)?)/g;

test('paths of source that documents and comments name exist', () => {
  const documents = DOCUMENTS.map((file) => ({ file, text: read(file) }));
  const comments = globSync('{src,test,bench,tools}/**/*.ts', { cwd: ROOT }).map((file) => {
    const lines = read(file).split('\n');
    return { file, text: lines.filter((line) => /^\s*(?:\*|\/\/|\/\*\*)|\/\/ /.test(line)).join('\n') };
  });
  const named = [...documents, ...comments]
    .flatMap(({ file, text }) => [...text.matchAll(IN_SOURCE)].map(([, name]) => ({ file, name: name! })))
    // A comment may name the folder of another project.
    .filter(({ file, name }) => file.endsWith('.md') || name.endsWith('.ts'));
  assert.ok(named.length > 100, `${named.length}`);
  const missing = named.filter(({ name }) => !existsSync(path.join(ROOT, 'src', name)));
  assert.deepEqual(missing, []);
});
