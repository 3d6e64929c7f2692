import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Config, locate, parseConfig } from '../../../../src/app/config/load.ts';
import { labelsFrom, labelValue } from '../../../../src/core/model/labels.ts';
import { compileRoutes } from '../../../../src/core/route/route.ts';

const TASK = '    task: {labels: [service], count: 8}';

function load(text: string, files: Record<string, string> = {}): Config {
  return parseConfig(text, '/dir/penstock.yml', {}, (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`no such file ${path}`);
    return text;
  });
}

/** The beginnings of the refusal's lines: `FILE:LINE: PATH`. */
function refusedAt(text: string, files: Record<string, string> = {}): string[] {
  try {
    load(text, files);
  } catch (error) {
    return (error as Error).message.split('\n').map((line) => line.split(': ').slice(0, 2).join(': '));
  }
  assert.fail('the configuration was accepted');
}

describe('wrong rules and selectors', () => {
  it('are told of all at once, each with its line', () => {
    const text = [
      'routes:',
      '  - name: a',
      TASK,
      '    match:',
      '      - http_requests_total',
      '      - \'{a=~"("}\'',
      '    relabel:',
      '      - action: labeldrop',
      '        regex: pod',
      '      - action: labeldrop',
      '        regex: (',
      '      - action: hashmod',
      '        source_labels: [x]',
      '        target_label: y',
      '        modulus: 0',
      '  - name: b',
      TASK,
      '    relabel: [{action: keepp, source_labels: [x], regex: y}]',
    ].join('\n');
    assert.deepEqual(refusedAt(text), [
      '/dir/penstock.yml:6: routes[0].match[1]',
      '/dir/penstock.yml:11: routes[0].relabel[1].regex',
      '/dir/penstock.yml:15: routes[0].relabel[2].modulus',
      '/dir/penstock.yml:18: routes[1].relabel[0].action',
    ]);
  });

  it('in a relabel file have the line of that file', () => {
    const text = ['routes:', '  - name: a', TASK, '    relabel_file: rules/a.yml'].join('\n');
    const rules = '- action: labeldrop\n  regex: pod\n- action: labeldrop\n  regexp: pod\n';
    assert.deepEqual(refusedAt(text, { '/dir/rules/a.yml': rules }), [
      '/dir/rules/a.yml:4: routes[0].relabel[1].regexp',
    ]);
  });

  it('a relabel file that is no list', () => {
    const text = ['routes:', '  - name: a', TASK, '    relabel_file: a.yml'].join('\n');
    assert.deepEqual(refusedAt(text, { '/dir/a.yml': '\nrelabel_configs: []\n' }), [
      '/dir/a.yml:2: routes[0].relabel',
    ]);
    assert.equal(refusedAt(text, { '/dir/a.yml': '- [\n' }).length, 1);
  });

  it('each dialect refuses what it does not know', () => {
    const rule = '    relabel: [{action: keep_metrics, regex: a}]';
    const text = (dialect: string) =>
      ['routes:', '  - name: a', TASK, `    dialect: ${dialect}`, rule].join('\n');
    load(text('victoriametrics'));
    assert.deepEqual(refusedAt(text('prometheus')), ['/dir/penstock.yml:5: routes[0].relabel[0].action']);
  });
});

describe('compiled routes', () => {
  it('have what the pipeline needs', () => {
    const text = [
      'routes:',
      '  - name: a',
      TASK,
      '  - name: b',
      '    match: [up]',
      '    relabel: [{action: labeldrop, regex: pod}]',
      '    task: {labels: [pod, x], count: 3, label: task_id}',
    ].join('\n');
    const [a, b] = compileRoutes(load(text));
    assert.deepEqual(
      [a!.index, a!.name, a!.topic, a!.count, a!.hasRules],
      [0, 'a', 'metrics.tasks.a', 8, false],
    );
    assert.deepEqual(
      [b!.index, b!.name, b!.topic, b!.count, b!.hasRules],
      [1, 'b', 'metrics.tasks.b', 3, true],
    );
    assert.deepEqual(b!.groupLabels, ['pod', 'x']);
    assert.equal(b!.taskLabel, 'task_id');
    assert.equal(a!.selectors.length, 0);
    assert.equal(b!.selectors[0]!.matches(labelsFrom({ __name__: 'up' })), true);
    assert.equal(b!.selectors[0]!.matches(labelsFrom({ __name__: 'down' })), false);
    const kept = b!.relabeler.apply(labelsFrom({ __name__: 'up', pod: 'p', x: '1' }));
    assert.equal(labelValue(kept ?? [], 'pod'), '');
    assert.equal(labelValue(kept ?? [], 'x'), '1');
  });

  it('rules in the configuration mean the same as in a file', () => {
    const rules = '- {target_label: v, replacement: 1.50}\n- {target_label: on, replacement: yes}\n';
    const inline = [
      'routes:',
      '  - name: a',
      TASK,
      '    relabel:',
      ...rules
        .trim()
        .split('\n')
        .map((l) => `    ${l}`),
    ];
    const file = ['routes:', '  - name: a', TASK, '    relabel_file: a.yml'];
    const results = [load(inline.join('\n')), load(file.join('\n'), { '/dir/a.yml': rules })].map((config) =>
      compileRoutes(config)[0]!.relabeler.apply(labelsFrom({ __name__: 'up' })),
    );
    assert.equal(labelValue(results[0] ?? [], 'v'), '1.50');
    assert.deepEqual(results[0], results[1]);
  });

  it('rules may be shared by an anchor', () => {
    const text = [
      'routes:',
      '  - name: a',
      TASK,
      '    relabel: &common',
      '      - action: labeldrop',
      '        regex: &pod pod',
      '  - name: b',
      TASK,
      '    relabel: *common',
      '  - name: c',
      TASK,
      '    relabel:',
      '      - action: labelkeep',
      '        regex: *pod',
    ].join('\n');
    const config = load(text);
    const left = compileRoutes(config).map((route) =>
      route.relabeler.apply(labelsFrom({ pod: 'p', x: '1' })),
    );
    assert.deepEqual(
      left.map((labels) => labels?.map((label) => label.name)),
      [['x'], ['x'], ['pod']],
    );
    assert.equal(locate(config, ['routes', 1, 'relabel', 0, 'regex']), '/dir/penstock.yml:6');
    assert.equal(locate(config, ['routes', 2, 'relabel', 0, 'regex']), '/dir/penstock.yml:14');
  });

  it('a wrong configuration that was not checked before is refused with file and line', () => {
    const config = load(['routes:', '  - name: a', TASK].join('\n'));
    const routes = [{ ...config.routes[0]!, match: ['{'] }];
    assert.throws(() => compileRoutes({ routes, positions: config.positions }), {
      name: 'ConfigError',
      message: /^\/dir\/penstock\.yml:2: route a: /,
    });
  });
});
