import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Source } from '../../../../src/app/config/source.ts';

describe('Source', () => {
  const text = 'a:\n  - x: 1\n    y: [p, q]\n  - &second\n    x: 2\nb: *second\nc:\n';
  const source = new Source('f.yml', text);

  const lines: [path: (string | number)[], line: number][] = [
    [[], 1],
    [['a'], 1],
    [['a', 0], 2],
    [['a', 0, 'y'], 3],
    [['a', 0, 'y', 1], 3],
    [['a', 1, 'x'], 5],
    [['b'], 6],
    [['b', 'x'], 5],
    [['c'], 7],
    [['a', 0, 'z'], 2],
    [['a', 7], 1],
    [['d', 'e'], 1],
  ];
  for (const [path, line] of lines) {
    it(`${JSON.stringify(path)} is on line ${line}`, () => assert.equal(source.lineOf(path), line));
  }

  it('gives the text of a value in its place', () => {
    assert.equal(source.textAt(['a', 0, 'y']), '\n\n       [p, q]');
    const list = source.textAt(['a']);
    assert.deepEqual(new Source('g.yml', list!).value, [{ x: 1, y: ['p', 'q'] }, { x: 2 }]);
    assert.equal(new Source('g.yml', list!).lineOf([1, 'x']), 5);
  });

  it('gives no text where there is none or where it refers to anchors', () => {
    assert.equal(source.textAt(['d']), undefined);
    assert.equal(source.textAt([]), undefined);
  });

  it('gives the text behind an alias', () => {
    assert.deepEqual(new Source('g.yml', source.textAt(['b'])!).value, { x: 2 });
  });

  it('reports what is no YAML, each with its line', () => {
    const broken = new Source('f.yml', 'a: [1\nb: 2\na: 3\n');
    assert.equal(broken.value, undefined);
    assert.ok(broken.problems.length > 0);
    assert.ok(broken.problems.every((problem) => problem.file === 'f.yml' && problem.line >= 1));
  });

  it('refuses aliases that grow without end', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de']) bomb.push(`${to}: &${to} [${`*${from},`.repeat(10)}]`);
    assert.match(new Source('f.yml', bomb.join('\n')).problems[0]!.message, /alias/i);
  });
});
