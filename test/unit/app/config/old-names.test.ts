import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Config, parseConfig } from '../../../../src/app/config/load.ts';
import { formatWarnings, warningsOf } from '../../../../src/app/config/warnings.ts';
import { ConfigError } from '../../../../src/core/model/errors.ts';

const ROUTES = 'allow_no_routes: true\n';

function load(text: string, env: Record<string, string> = {}): Config {
  return parseConfig(ROUTES + text, 'p.yml', env, () => assert.fail('no file is named'));
}

function refusal(text: string, env: Record<string, string> = {}): string {
  try {
    load(text, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail('the configuration was accepted');
}

const warned = (config: Config) => formatWarnings(warningsOf(config));

const RENAMED = 'ingest: is now called worker; the old name is accepted until 1.0';

describe('the section ingest, which is part of worker', () => {
  it('is taken as worker, with a warning', () => {
    const config = load('ingest:\n  topic: raw\n  limits: { record_bytes: 1MiB }\n');
    assert.equal(config.worker.topic, 'raw');
    assert.equal(config.worker.limits.record_bytes, 2 ** 20);
    assert.deepEqual(warned(config), [`p.yml:2: ${RENAMED}`]);
    assert.equal(config.hash, load('worker:\n  topic: raw\n  limits: { record_bytes: 1MiB }\n').hash);
  });

  it('may stand beside worker, before and behind it', () => {
    const worker = 'worker: { processes: 2 }\n';
    const ingest = 'ingest: { topic: raw, dead_topic: dead }\n';
    for (const text of [worker + ingest, ingest + worker]) {
      const { worker: settings } = load(text);
      assert.deepEqual([settings.processes, settings.topic, settings.dead_topic], [2, 'raw', 'dead'], text);
    }
  });

  it('may be empty, and so may worker', () => {
    assert.equal(load('ingest:\nworker: { topic: raw }\n').worker.topic, 'raw');
    assert.equal(load('worker:\ningest: { topic: raw }\n').worker.topic, 'raw');
    assert.equal(load('ingest:\n').worker.topic, 'metrics.raw');
  });

  it('has problems in the lines in which they stand', () => {
    assert.match(refusal('worker:\n  processes: 0\ningest:\n  topic: a/b\n'), /^p\.yml:5: worker\.topic: /m);
    assert.match(refusal('ingest:\n  topc: a\n'), /^p\.yml:3: worker\.topc: unknown key; expected topic\?/m);
    assert.match(refusal('ingest: [a]\n'), /^p\.yml:2: worker: .* expected a mapping/m);
    assert.match(
      refusal('worker: { processes: 2 }\ningest: 7\n'),
      /^p\.yml:3: ingest: cannot be merged into worker/m,
    );
  });

  it('may not repeat a key of worker', () => {
    const twice = 'worker:\n  topic: a\ningest:\n  group: g\n  topic: b\n';
    assert.equal(refusal(twice), 'p.yml:6: ingest.topic: worker.topic is given too; expected one of the two');
  });
});

describe('a variable PENSTOCK_INGEST_…', () => {
  it('is taken as PENSTOCK_WORKER_…, with a warning', () => {
    const config = load('worker: { topic: a }', { PENSTOCK_INGEST_TOPIC: 'b' });
    assert.equal(config.worker.topic, 'b');
    assert.deepEqual(warned(config), [
      'PENSTOCK_INGEST_TOPIC: is now called PENSTOCK_WORKER_TOPIC; the old name is accepted until 1.0',
    ]);
  });

  it('names itself in problems', () => {
    assert.match(refusal('', { PENSTOCK_INGEST_TOPIC: 'a/b' }), /^PENSTOCK_INGEST_TOPIC: worker\.topic: /m);
    assert.match(refusal('', { PENSTOCK_INGEST_TOPC: 'a' }), /^PENSTOCK_INGEST_TOPC: sets no key; /m);
  });

  it('may not be set beside the new one', () => {
    const both = { PENSTOCK_INGEST_TOPIC: 'a', PENSTOCK_WORKER_TOPIC: 'b' };
    const message = 'PENSTOCK_INGEST_TOPIC: PENSTOCK_WORKER_TOPIC is set too; expected one of the two';
    assert.equal(refusal('', both), message);
  });
});
