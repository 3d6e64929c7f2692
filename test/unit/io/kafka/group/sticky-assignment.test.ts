import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  assignCooperatively,
  assignSticky,
  type Claim,
} from '../../../../../src/io/kafka/group/sticky-assignment.ts';

const partitionIds = fc.uniqueArray(fc.nat(40), { maxLength: 24 });
const claims = fc
  .array(
    fc.record({
      generation: fc.integer({ min: -1, max: 4 }),
      owned: fc.array(fc.nat(45), { maxLength: 12 }),
    }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .map((list) => list.map((claim, index): Claim => ({ memberId: `m${index}`, ...claim })));

describe('assignSticky', () => {
  test('gives every partition to one member, and to each member as many as to another, within one', () => {
    fc.assert(
      fc.property(partitionIds, claims, (partitions, members) => {
        const assigned = assignSticky(partitions, members);
        assert.deepEqual([...assigned.keys()].sort(), members.map(({ memberId }) => memberId).sort());
        const all = [...assigned.values()].flat();
        assert.deepEqual(
          all.sort((a, b) => a - b),
          [...partitions].sort((a, b) => a - b),
        );
        const sizes = [...assigned.values()].map((own) => own.length);
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
      }),
    );
  });

  test('does not depend on the order of members or partitions', () => {
    const shuffled = fc
      .tuple(partitionIds, claims)
      .chain(([partitions, members]) =>
        fc.tuple(
          fc.constant({ partitions, members }),
          fc.shuffledSubarray(partitions, { minLength: partitions.length }),
          fc.shuffledSubarray(members, { minLength: members.length }),
        ),
      );
    fc.assert(
      fc.property(shuffled, ([{ partitions, members }, otherPartitions, otherMembers]) => {
        const one = Object.fromEntries(assignSticky(partitions, members));
        const two = Object.fromEntries(assignSticky(otherPartitions, otherMembers));
        assert.deepEqual(one, two);
      }),
    );
  });

  test('changes nothing when the members hold an assignment of it already', () => {
    fc.assert(
      fc.property(partitionIds, claims, (partitions, members) => {
        const before = assignSticky(partitions, members);
        const again = assignSticky(
          partitions,
          members.map(({ memberId }) => ({ memberId, generation: 5, owned: before.get(memberId)! })),
        );
        assert.deepEqual(again, before);
      }),
    );
  });

  test('moves no more than it must when a member joins: nobody who stays gains anything', () => {
    fc.assert(
      fc.property(partitionIds, claims, (partitions, members) => {
        const before = assignSticky(partitions, members);
        const after = assignSticky(partitions, [
          ...members.map(({ memberId }) => ({ memberId, generation: 5, owned: before.get(memberId)! })),
          { memberId: 'new', generation: -1, owned: [] },
        ]);
        for (const { memberId } of members) {
          const held = new Set(before.get(memberId));
          assert.ok(after.get(memberId)!.every((partition) => held.has(partition)));
        }
      }),
    );
  });

  test('keeps everything of those who stay when a member leaves', () => {
    fc.assert(
      fc.property(partitionIds, claims, (partitions, members) => {
        fc.pre(members.length > 1);
        const before = assignSticky(partitions, members);
        const stay = members.slice(1);
        const after = assignSticky(
          partitions,
          stay.map(({ memberId }) => ({ memberId, generation: 5, owned: before.get(memberId)! })),
        );
        for (const { memberId } of stay) {
          const now = new Set(after.get(memberId));
          assert.ok(before.get(memberId)!.every((partition) => now.has(partition)));
        }
      }),
    );
  });

  test('believes the claim of the newer generation', () => {
    const stale = { memberId: 'a', generation: 3, owned: [0, 1] };
    const current = { memberId: 'b', generation: 4, owned: [0, 1] };
    assert.deepEqual(Object.fromEntries(assignSticky([0, 1, 2, 3], [stale, current])), {
      a: [2, 3],
      b: [0, 1],
    });
  });

  test('without members assigns nothing', () => {
    assert.deepEqual([...assignSticky([0, 1], [])], []);
  });
});

describe('assignCooperatively', () => {
  const ownedBy = (claims: readonly Claim[], assigned: Map<string, number[]>, generation: number) =>
    claims.map(({ memberId }) => ({ memberId, generation, owned: assigned.get(memberId)! }));

  test('gives nothing away that another member holds', () => {
    fc.assert(
      fc.property(partitionIds, claims, (partitions, members) => {
        const assigned = assignCooperatively(partitions, members);
        for (const [memberId, own] of assigned) {
          for (const partition of own) {
            const claim = members.filter(({ owned }) => owned.includes(partition));
            const newest = Math.max(...claim.map(({ generation }) => generation));
            assert.ok(
              claim.length === 0 ||
                claim.some((held) => held.memberId === memberId && held.generation === newest),
            );
          }
        }
      }),
    );
  });

  test('in a second round, when all hold what they were given, gives out the rest, evenly, and moves nothing', () => {
    fc.assert(
      fc.property(partitionIds, claims, (partitions, members) => {
        const first = assignCooperatively(partitions, members);
        const second = assignCooperatively(partitions, ownedBy(members, first, 5));
        const given = [...second.values()].flat();
        assert.deepEqual(
          given.sort((a, b) => a - b),
          [...partitions].sort((a, b) => a - b),
        );
        const sizes = [...second.values()].map((own) => own.length);
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
        for (const [memberId, own] of first)
          assert.ok(own.every((partition) => second.get(memberId)!.includes(partition)));
      }),
    );
  });

  test('has an entry for every member, also one that gets nothing yet', () => {
    const holder = { memberId: 'a', generation: 1, owned: [0, 1] };
    const joins = { memberId: 'b', generation: -1, owned: [] };
    assert.deepEqual(Object.fromEntries(assignCooperatively([0, 1], [holder, joins])), { a: [0], b: [] });
  });
});
