import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Label } from '../../../../src/core/model/labels.ts';
import { OutputEncoder } from '../../../../src/core/pipeline/output-encoder.ts';
import { viewOf } from '../../../../src/core/wire/bytes.ts';
import { LabelBlock } from '../../../../src/core/wire/label-block.ts';
import { encodeLabels } from '../../../support/plain-pipeline.ts';

const NO_LIMITS = { labels_per_series: 0, label_name_bytes: 0, label_value_bytes: 0 };
const TASK_LABEL = 'm_task';

const text = fc.constantFrom('', 'a', 'bc', 'shop', 'é', '\u{1f600}', 'x'.repeat(130), `${'y'.repeat(127)}é`);
const name = fc.constantFrom('a', 'b', 'm', TASK_LABEL, 'z', 'é', 'n'.repeat(140));
const labelSet = fc.uniqueArray(fc.record({ name, value: text }), {
  minLength: 1,
  selector: (label) => label.name,
});

/** What rules do: leave labels, change them, make equal ones of them, drop and add some. */
function relabel(labels: readonly Label[], kind: number): Label[] {
  if (kind === 0) return [...labels];
  if (kind === 1) return labels.map((label) => ({ ...label }));
  if (kind === 2) return [{ name: 'added', value: 'é' }, ...labels.slice(1)];
  return labels.map((label, at) => (at === 0 ? { name: label.name, value: `${label.value}!` } : label));
}

test('after other series it encodes as plain code does', () => {
  const series = fc.record({ labels: labelSet, kind: fc.nat(3), task: fc.nat(2) });
  const reused = new OutputEncoder(TASK_LABEL);
  const block = new LabelBlock();
  fc.assert(
    fc.property(fc.array(series, { minLength: 2, maxLength: 8 }), (list) => {
      for (const { labels, kind, task } of list) {
        const raw = Buffer.from(encodeLabels(labels), 'hex');
        block.decode(raw, 0, raw.length, NO_LIMITS);
        const relabeled = relabel(block.labels, kind);
        const encoded = reused.encode(relabeled, task, block, viewOf(raw));
        const others = relabeled.filter((label) => label.name !== TASK_LABEL);
        const expected = [...others, { name: TASK_LABEL, value: String(task) }].sort((a, b) =>
          Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
        );
        assert.equal(encoded.bytes.toString('hex', 0, encoded.length), encodeLabels(expected));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a series of more bytes than there is room for at first, which are given up after it', () => {
  const encoder = new OutputEncoder(TASK_LABEL);
  const block = new LabelBlock();
  const memory: number[] = [];
  for (const value of ['x'.repeat(50_000), 'é'.repeat(50_000), 'x'.repeat(1_000_000), 'x', 'y', 'z']) {
    const labels = [
      { name: 'a', value },
      { name: 'z', value },
    ];
    const raw = Buffer.from(encodeLabels(labels), 'hex');
    block.decode(raw, 0, raw.length, NO_LIMITS);
    const copied = labels.map((label) => ({ ...label }));
    const { bytes, length } = encoder.encode(copied, 1, block, viewOf(raw));
    const [a, z] = copied as [Label, Label];
    assert.equal(bytes.toString('hex', 0, length), encodeLabels([a, { name: TASK_LABEL, value: '1' }, z]));
    memory.push(bytes.length);
  }
  assert.ok(
    memory[2]! >= 2_000_000 && memory[2]! <= 4_100_000,
    `${memory[2]} bytes for two values of a megabyte`,
  );
  assert.ok(Math.max(...memory.slice(-2)) <= 128 * 1024, `${memory} bytes`);
});
