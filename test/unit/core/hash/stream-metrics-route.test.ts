import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a32, streamMetricsRouteHash } from '../../../../src/core/hash/stream-metrics-route.ts';
import { compileTask } from '../../../../src/core/hash/task.ts';
import { labelsFrom } from '../../../../src/core/model/labels.ts';

test('names and values in one list, sorted by bytes, one after the other', () => {
  const labels = labelsFrom({ z: '\u{10000}', a: '\u{ffff}', b: '' });
  assert.equal(streamMetricsRouteHash(labels), fnv1a32(Buffer.from('abz\u{ffff}\u{10000}')));
  assert.equal(streamMetricsRouteHash(labelsFrom({ a: 'b' })), 1294271946, 'recorded from the gateway');
  assert.equal(streamMetricsRouteHash(labelsFrom({ b: 'a' })), 1294271946);
});

test('the task is that of all labels, or of the group labels that the series has', () => {
  const labels = labelsFrom({ service: 'cart', pod: 'cart-1' });
  const options = { count: 30, spread: 1, hash: 'stream-metrics-route' } as const;
  const whole = compileTask({ ...options, labels: [] }).explain(labels);
  assert.equal(whole.hash, String(streamMetricsRouteHash(labels)));
  const group = compileTask({ ...options, labels: ['service', 'namespace'] }).explain(labels);
  assert.equal(group.hash, String(streamMetricsRouteHash(labelsFrom({ service: 'cart' }))));
  assert.equal(group.task, Number(group.hash) % 30);
});

test('FNV-1a: published values', () => {
  assert.equal(fnv1a32(Buffer.from('')), 0x811c9dc5);
  assert.equal(fnv1a32(Buffer.from('a')), 0xe40c292c);
  assert.equal(fnv1a32(Buffer.from('foobar')), 0xbf9cf968);
});

test('FNV-1a: a part of the bytes', () => {
  assert.equal(fnv1a32(Buffer.from('xfoobarx'), 1, 7), 0xbf9cf968);
});
