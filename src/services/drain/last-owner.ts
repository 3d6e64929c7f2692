import type { TopicMark } from '../../io/kafka/topic/topic-mark.ts';
import { isSettled, type TurnNote } from './turn.ts';

/** How a node's group stands to one partition. */
export interface Standing {
  readonly group: string;
  /** A member of it has the partition, or may have it: a group in a rebalance does not say. */
  readonly holds: boolean;
  /** What it has committed for the partition. */
  readonly commit:
    | { readonly offset: bigint; readonly note: TurnNote; readonly mark?: TopicMark | undefined }
    | undefined;
}

/** A group that has worked on the partition. */
export type Owner = Standing & { readonly commit: NonNullable<Standing['commit']> };

export type Decision =
  /** The group was the last one here: it goes on where it stands. */
  | { readonly kind: 'own' }
  /** Another group is first. `yields`: a claim of this group has to be withdrawn. */
  | { readonly kind: 'wait'; readonly group: string; readonly yields: boolean }
  /** Nobody works on it: it is taken over where `from` stands; undefined where no group ever stood. */
  | { readonly kind: 'take'; readonly from: Owner | undefined; readonly turn: number };

/**
 * Decides whether the group `own`, which holds a partition, may work on it, and from where.
 *
 * At any time at most one group may: the one that was last, as long as it holds the partition; else, of the groups that
 * hold it (drains run with different configurations), the one whose name comes first. A group that is about to take it
 * over says so (`taking`) and looks again: a group that came to hold the partition before the second look is seen
 * there, and one that came later sees the claim, and waits until it is settled or withdrawn.
 */
export function decide(own: string, standings: readonly Standing[]): Decision {
  const owner = lastOwner(own, standings);
  const others = standings.filter(({ group, holds }) => group !== own && holds);
  const first = others.find(({ group }) => group === owner?.group || (owner?.group !== own && group < own));
  if (first !== undefined) return { kind: 'wait', group: first.group, yields: true };
  const claimant = others.find(({ commit }) => commit?.note.state === 'taking');
  if (claimant !== undefined) return { kind: 'wait', group: claimant.group, yields: false };
  if (owner?.group === own) return { kind: 'own' };
  const turns = standings.map(({ commit }) => commit?.note.turn ?? 0);
  return { kind: 'take', from: owner, turn: Math.max(0, ...turns) + 1 };
}

/** The group that worked on the partition last; undefined where none did, or nobody knows any more. */
export function lastOwner(own: string, standings: readonly Standing[]): Owner | undefined {
  return standings
    .filter((each): each is Owner => each.commit !== undefined && isSettled(each.commit.note))
    .reduce<Owner | undefined>(
      (last, each) => (last === undefined || isNewer(each, last, own) ? each : last),
      undefined,
    );
}

function isNewer(a: Owner, b: Owner, own: string): boolean {
  if (a.commit.note.turn !== b.commit.note.turn) return a.commit.note.turn > b.commit.note.turn;
  if (a.commit.offset !== b.commit.offset) return a.commit.offset > b.commit.offset;
  // Only without turns can two groups stand at the same place. Another one that holds the partition may be at work.
  const [aWorks, bWorks] = [a, b].map(({ group, holds }) => holds && group !== own);
  return aWorks !== bWorks ? aWorks === true : a.group < b.group;
}
