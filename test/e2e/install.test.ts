import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createRunFolder, ROOT, removeRunFolder } from '../lab/cache.ts';

const run = promisify(execFile);
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };

/** Packs a clone as it is checked out, and installs the package where nothing else is. */
async function install(folder: string): Promise<string> {
  const clone = path.join(folder, 'clone');
  // What git does not know is not there; what is changed and not committed is.
  const { stdout: files } = await run('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: ROOT });
  const present = files.split('\0').filter((file) => file !== '' && existsSync(path.join(ROOT, file)));
  await run('mkdir', ['-p', clone]);
  const tar = spawnSync('sh', ['-c', 'tar -C "$0" --null -T - -cf - | tar -C "$1" -xf -', ROOT, clone], {
    input: present.join('\0'),
  });
  assert.equal(tar.status, 0, String(tar.stderr));
  await run('ln', ['-s', path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules')]);
  await run('npm', ['pack', '--pack-destination', folder], { cwd: clone });
  const prefix = path.join(folder, 'prefix');
  const tarball = path.join(folder, `penstock-${version}.tgz`);
  await run('npm', ['install', '-g', '--prefix', prefix, '--prefer-offline', tarball], { cwd: folder });
  return prefix;
}

describe('the package of a clone, installed', async () => {
  const folder = createRunFolder('install');
  after(() => removeRunFolder(folder));
  const prefix = await install(folder);
  const home = path.join(prefix, 'lib/node_modules/penstock');
  const penstock = path.join(prefix, 'bin/penstock');
  /** On this test's Node, wherever the package is used from. */
  const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env.PATH}` };

  test('has a command that runs', async () => {
    assert.equal((await run(penstock, ['--version'], { env })).stdout, `${version}\n`);
    assert.match((await run(penstock, ['worker', '--help'], { env })).stdout, /^penstock worker/);
    assert.match((await run(penstock, ['drain', '--help'], { env })).stdout, /^penstock drain/);
  });

  test('has an example that passes its own check', async () => {
    const example = path.join(home, 'config/penstock.yml');
    const { stdout } = await run(penstock, ['check', '-c', example], { env, cwd: folder });
    assert.match(stdout, /vmagent-0/);
  });

  test('has what an operator needs, and no tests', () => {
    for (const file of [
      'README.md',
      'docs/reference/metrics.md',
      'deploy/streamaggr.yml',
      'deploy/vmalert/rollup.yml',
    ]) {
      assert.ok(existsSync(path.join(home, file)), file);
    }
    for (const file of ['test', 'src', 'node_modules/typescript']) {
      assert.ok(!existsSync(path.join(home, file)), file);
    }
  });
});
