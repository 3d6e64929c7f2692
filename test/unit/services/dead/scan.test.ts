import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OffsetRanges } from '../../../../src/services/dead/offset-ranges.ts';
import { RedrivePlan, verdictOn } from '../../../../src/services/dead/redrive-plan.ts';
import { redrivenRecord } from '../../../../src/services/dead/redriven-record.ts';
import { type LetterVisitor, visitLetter } from '../../../../src/services/dead/scan.ts';
import { rawRecord } from '../../../support/records.ts';

const letter = (offset: number) =>
  rawRecord(offset, Buffer.from('x'), { 'penstock-stage': 'decode', 'penstock-source': `raw/0/${offset}` });

/** A record whose headers nobody can read. */
const broken = (offset: number) => ({
  ...letter(offset),
  headers: new Proxy({}, { get: () => (undefined as never as Buffer).toString() }) as never,
});

test('a letter at which something throws is kept and told; the others are redriven', () => {
  const targets = {
    ingest: new Map([['raw', 1]]),
    tasks: new Map<string, number>(),
    maxMessageBytes: {
      // Of the letter behind it the size cannot be asked for.
      get: () => {
        if (checked++ === 1) throw new TypeError('a defect');
        return 1_000_000;
      },
    } as never,
  };
  let checked = 0;
  const plan = new RedrivePlan();
  const told: bigint[] = [];
  const visitor: LetterVisitor = {
    onLetter: (each) => {
      const check = (stored: typeof each) => {
        const record = redrivenRecord(stored, targets, 0);
        return typeof record === 'string' ? record : undefined;
      };
      plan.add(
        0,
        each.record.offset,
        verdictOn(each, { filter: { reasons: [], stages: [] }, again: false, check }),
      );
    },
    onDefect: ({ partition, offset }, { message }) => {
      plan.add(partition, offset, 'defect');
      told.push(offset);
      assert.match(message, /a defect of Penstock/);
    },
  };
  const redriven = new OffsetRanges();
  for (const record of [letter(0), letter(1), broken(2), letter(3)]) visitLetter(record, redriven, visitor);
  const { partitions, counts } = plan.finish(new Map([[0, redriven]]), new Map([[0, 4n]]), 100);
  assert.deepEqual(told, [1n, 2n]);
  assert.deepEqual(partitions.get(0), { take: [0n, 3n], firstLeft: 1n, end: 4n });
  assert.deepEqual([counts.redrive, [...counts.unredrivable]], [2, [['defect', 2]]]);
});
