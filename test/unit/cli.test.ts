import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { reportError } from '../../src/app/commands/command.ts';
import { ConfigError } from '../../src/core/model/errors.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'penstock-cli-'));
after(() => rmSync(folder, { recursive: true }));

function penstock(args: string[], env: Record<string, string> = {}, input = '') {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PENSTOCK_')),
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'src/cli.ts'), ...args], {
    cwd: root,
    env: { ...clean, ...env },
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function configFile(text: string): string {
  const file = join(folder, 'penstock.yml');
  writeFileSync(file, text);
  return file;
}

describe('penstock', () => {
  it('--help lists the commands', () => {
    const { status, stdout } = penstock(['--help']);
    assert.equal(status, 0);
    assert.match(stdout, /^ {2}check +validate/m);
    assert.deepEqual(penstock(['help']), { status: 0, stdout, stderr: '' });
  });

  it('without a command it is wrong usage', () => {
    const { status, stdout, stderr } = penstock([]);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^penstock COMMAND/);
  });

  it('--version is that of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    assert.deepEqual(penstock(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('help COMMAND and COMMAND --help are the same', () => {
    const help = penstock(['help', 'check']);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /^penstock check .*-c, --config FILE/s);
    assert.deepEqual(penstock(['check', '--help']), help);
  });

  it('names the nearest command', () => {
    const { status, stderr } = penstock(['chekc']);
    assert.equal(status, 2);
    assert.equal(stderr, 'penstock: unknown command chekc; expected check?\nSee penstock --help.\n');
    assert.equal(penstock(['help', 'chekc']).status, 2);
    assert.equal(penstock(['constructor']).status, 2);
  });

  it('names the nearest option', () => {
    const { status, stderr } = penstock(['check', '--jsn']);
    assert.equal(status, 2);
    assert.equal(
      stderr,
      'penstock check: unknown option --jsn; expected --json?\nSee penstock check --help.\n',
    );
  });

  it('refuses an option without its value, and arguments too many', () => {
    assert.equal(penstock(['check', '-c']).status, 2);
    const { status, stderr } = penstock(['check', 'config/penstock.yml']);
    assert.equal(status, 2);
    assert.match(stderr, /unexpected argument config\/penstock\.yml; expected none/);
  });

  it("a user's mistake is told in its own words, a defect with its stack", () => {
    const printed: string[] = [];
    const print = (text: string) => void printed.push(text);
    assert.equal(reportError(new ConfigError('a: b'), print), 2);
    assert.equal(reportError(new TypeError('defect'), print), 1);
    assert.equal(reportError('thrown text', print), 1);
    assert.equal(printed[0], 'a: b\n');
    assert.match(printed[1]!, /^TypeError: defect\n +at /);
    assert.equal(printed[2], 'thrown text\n');
  });
});

describe('penstock relabel', () => {
  it('reads rules from a file and series from standard input', () => {
    const rules = configFile(
      '- {action: labeldrop, regex: pod}\n- {action: drop, source_labels: [a], regex: x}\n',
    );
    const input = '{"labels":{"a":"1","pod":"p"}}\n{"labels":{"a":"x"}}\n';
    const { status, stdout, stderr } = penstock(['relabel', '--config', rules], {}, input);
    assert.equal(stderr, '');
    assert.equal(stdout, '{"labels":{"a":"1"}}\n{"dropped":true}\n');
    assert.equal(status, 0);
  });

  it('without rules it is wrong usage', () => {
    assert.equal(penstock(['relabel']).status, 2);
    assert.equal(penstock(['help', 'relabel']).status, 0);
  });
});

describe('penstock check', () => {
  it('the example is good, and is what is read when nothing else is named', () => {
    const { status, stdout, stderr } = penstock(['check']);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.match(stdout, /^config\/penstock\.yml: ok\n/);
    assert.match(stdout, /^http +metrics\.tasks\.http +32 +service,namespace +4$/m);
    assert.match(stdout, /^vmagent-1 +1[01] /m);
    assert.equal(penstock(['check', '-c', 'config/penstock.yml']).stdout, stdout);
    assert.equal(penstock(['check'], { PENSTOCK_CONFIG: 'config/penstock.yml' }).stdout, stdout);
  });

  it('--json gives one object', () => {
    const { status, stdout } = penstock(['check', '--json']);
    assert.equal(status, 0);
    const { file, ok, routes, nodes } = JSON.parse(stdout);
    assert.equal(file, 'config/penstock.yml');
    assert.equal(ok, true);
    assert.deepEqual(routes[0], {
      name: 'http',
      topic: 'metrics.tasks.http',
      count: 32,
      group_labels: ['service', 'namespace'],
      selectors: 1,
      rules: 4,
    });
    const tasks = nodes.map((node: { tasks: Record<string, number> }) => node.tasks.http);
    assert.equal(tasks.length, 3);
    assert.equal(
      tasks.reduce((sum: number, count: number) => sum + count, 0),
      32,
    );
    // No node has more than 1.15 times its share of all tasks.
    const loads = nodes.map((node: { tasks: Record<string, number> }) =>
      Object.values(node.tasks).reduce((sum, count) => sum + count, 0),
    );
    const all = loads.reduce((sum: number, load: number) => sum + load, 0);
    assert.ok(loads.every((load: number) => load <= Math.ceil((1.15 * all) / 3)));
  });

  it('prints every problem on standard error and exits 2', () => {
    const file = configFile('kafka:\n  borkers: []\nstop_deadline: soon\n');
    const { status, stdout, stderr } = penstock(['check', '-c', file]);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    const [first, second, ...rest] = stderr.split('\n');
    assert.equal(first, `${file}:2: kafka.borkers: unknown key; expected brokers?`);
    assert.ok(second!.startsWith(`${file}:3: stop_deadline: "soon" cannot be read; expected a duration`));
    assert.deepEqual(rest, ['']);
  });

  it('--json gives the problems as one object', () => {
    const file = configFile('kafka:\n  borkers: []\n');
    const { status, stdout } = penstock(['check', '-c', file, '--json']);
    assert.equal(status, 2);
    assert.deepEqual(JSON.parse(stdout), {
      file,
      ok: false,
      problems: [{ file, line: 2, path: 'kafka.borkers', message: 'unknown key; expected brokers?' }],
    });
  });

  it('sees the environment', () => {
    const { status, stderr } = penstock(['check'], { PENSTOCK_DRAIN_NODE: 'vmagent-7' });
    assert.equal(status, 2);
    assert.match(
      stderr,
      /^PENSTOCK_DRAIN_NODE: drain\.node: there is no node "vmagent-7"; expected vmagent-\d\?\n$/,
    );
  });

  it('says what a configuration without routes and nodes means', () => {
    const { status, stdout } = penstock(['check', '-c', configFile('allow_no_routes: true')]);
    assert.equal(status, 0);
    assert.match(stdout, /no routes: .*\n\nno nodes: /);
  });

  for (const command of ['check', 'worker', 'drain']) {
    it(`without routes a file is refused, unless it says that this is meant (${command})`, () => {
      const file = configFile('nodes: [{ name: a, url: "http://a:8429" }]\nroutes:\n');
      const { status, stderr } = penstock([command, '-c', file], { PENSTOCK_DRAIN_NODE: 'a' });
      assert.equal(status, 2);
      assert.match(
        stderr,
        /:2: routes: there are none, .*; expected at least one, or allow_no_routes: true\n$/,
      );
    });
  }

  it('warns of group labels that divide nothing', () => {
    const file = configFile(
      [
        'routes:',
        '  - name: a',
        '    task: { labels: [service, namespace], count: 8 }',
        '    relabel:',
        '      - { action: labeldrop, regex: namespace|pod }',
        '  - name: b',
        '    task: { labels: [servcie], count: 8 }',
      ].join('\n'),
    );
    const { status, stdout } = penstock(['check', '-c', file]);
    assert.equal(status, 0);
    const [, warnings = ''] = stdout.split('Warnings:\n');
    assert.match(
      warnings,
      /:5: routes\[0\]\.relabel\[0\]: group label namespace of route a is on no series from here on/,
    );
    assert.match(warnings, /:7: routes\[1\]\.task\.labels\[0\]: .*"servcie"; is service meant\?/);
    assert.equal(warnings.trim().split('\n').length, 2);
    const json = JSON.parse(penstock(['check', '--json', '-c', file]).stdout);
    assert.equal(json.warnings.length, 2);
    assert.equal(JSON.parse(penstock(['check', '--json']).stdout).warnings.length, 0);
  });

  it('a file that is not there', () => {
    const { status, stderr } = penstock(['check', '-c', join(folder, 'gone.yml')]);
    assert.equal(status, 2);
    assert.match(stderr, /gone\.yml: cannot be read: ENOENT.*; expected a YAML file, named by -c FILE/);
  });
});
