import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { configJsonSchema } from '../../../../src/app/config/json-schema.ts';
import { keysAt, leavesOf } from '../../../../src/app/config/leaves.ts';
import { loadConfig, parseConfig } from '../../../../src/app/config/load.ts';
import { options, processOptions } from '../../../../src/app/config/schema.ts';
import { compileRoutes } from '../../../../src/core/route/route.ts';

const root = new URL('../../../../', import.meta.url);
const examplePath = new URL('config/penstock.yml', root).pathname;
const example = readFileSync(examplePath, 'utf8');

describe('schemas/penstock.schema.json', () => {
  it('is the schema of the options; else run node src/app/config/write-schema.ts && npm run format', () => {
    const stored = JSON.parse(readFileSync(new URL('schemas/penstock.schema.json', root), 'utf8'));
    assert.deepEqual(stored, JSON.parse(JSON.stringify(configJsonSchema())));
  });

  it('lets durations and sizes be texts or numbers, and knows secrets', () => {
    const schema = JSON.parse(JSON.stringify(configJsonSchema()));
    assert.deepEqual(
      schema.properties.stop_deadline.anyOf.map((one: { type: string }) => one.type),
      ['number', 'string'],
    );
    assert.equal(schema.properties.kafka.properties.sasl.properties.password.writeOnly, true);
    assert.equal(schema.properties.kafka.properties.sasl.properties.username.writeOnly, undefined);
    assert.equal(schema.additionalProperties, false);
  });
});

describe('config/penstock.yml', () => {
  const config = loadConfig({ file: examplePath, env: {} });

  it('names the schema for editors', () => {
    assert.equal(example.split('\n')[0], '# yaml-language-server: $schema=../schemas/penstock.schema.json');
  });

  it('gives every key its default', () => {
    const {
      routes: _,
      nodes: __,
      file: ___,
      positions: ____,
      texts: _____,
      hash: ______,
      ...settings
    } = config;
    const defaults = parseConfig('', examplePath, {}, () => '');
    for (const section of Object.keys(settings) as (keyof typeof settings)[]) {
      assert.deepEqual(settings[section], defaults[section], section);
    }
  });

  it('documents every key', () => {
    const documented = documentedPaths();
    const missing = leavesOf(processOptions)
      .map((leaf) => leaf.path.join('.'))
      .filter((path) => !documented.has(path));
    assert.deepEqual(missing, []);
    const routeKeys = keysAt(options, ['routes', 0]);
    const inExample = new Set(config.routes.flatMap((_, at) => [...keysOfItem('routes', at)]));
    assert.deepEqual(
      routeKeys.filter((key) => !inExample.has(key)),
      [],
    );
  });

  it('has a route http that an http series of the shop hits', () => {
    const series = [
      { name: '__name__', value: 'http_requests_total' },
      { name: 'service', value: 'cart' },
      { name: 'namespace', value: 'shop' },
    ];
    const hit = compileRoutes(config).filter((route) =>
      route.selectors.some((selector) => selector.matches(series)),
    );
    assert.deepEqual(
      hit.map((route) => [route.name, route.topic, route.count, route.groupLabels]),
      [['http', 'metrics.tasks.http', 32, ['service', 'namespace']]],
    );
    const [http] = hit;
    assert.ok(http!.hasRules);
    const task = http!.task(series);
    assert.ok(task >= 0 && task < 32);
  });

  it('has three nodes', () => {
    assert.deepEqual(
      config.nodes.map((node) => node.name),
      ['vmagent-0', 'vmagent-1', 'vmagent-2'],
    );
  });
});

/** Paths of the process settings in the example; keys without a default stand there as comments. */
function documentedPaths(): Set<string> {
  const optional = leavesOf(processOptions).filter((leaf) => leaf.default === undefined);
  const commented = new RegExp(`^( +)# ((?:${optional.map((leaf) => leaf.path.at(-1)).join('|')}): )`, 'gm');
  const uncommented = example.replaceAll(commented, '$1$2');
  const paths = new Set<string>();
  const walk = (node: unknown, path: string[]) => {
    paths.add(path.join('.'));
    if (!isMap(node)) return;
    for (const { key, value } of node.items) walk(value, [...path, String(isScalar(key) ? key.value : key)]);
  };
  walk(parseDocument(uncommented).contents, []);
  return paths;
}

function* keysOfItem(section: string, at: number): Generator<string> {
  const list = parseDocument(example).get(section);
  const item = isSeq(list) ? list.items[at] : undefined;
  if (!isMap(item)) return;
  for (const { key } of item.items) yield String(isScalar(key) ? key.value : key);
}
