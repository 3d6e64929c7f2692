import type { TopicMark } from '../../io/kafka/topic/topic-mark.ts';
import { isSettled, type TurnNote } from './turn.ts';

/** Standing of a node's group in one partition. */
export interface Standing {
  readonly group: string;
  /** A member holds the partition, or may hold it: unknown while the group is in a rebalance. */
  readonly holds: boolean;
  /** Its commit for the partition, if any. */
  readonly commit:
    | { readonly offset: bigint; readonly note: TurnNote; readonly mark?: TopicMark | undefined }
    | undefined;
}

/** A group that has worked on the partition. */
export type Owner = Standing & { readonly commit: NonNullable<Standing['commit']> };

export type Decision =
  /** The group was the last owner: it goes on at its own commit. */
  | { readonly kind: 'own' }
  /** Another group goes first. `yields`: this group has to withdraw its claim, if it has one. */
  | { readonly kind: 'wait'; readonly group: string; readonly yields: boolean }
  /** Nobody works on it: this group takes it over at the commit of `from`; undefined: there is no owner to follow. */
  | { readonly kind: 'take'; readonly from: Owner | undefined; readonly turn: number };

/**
 * Decides whether the group `own`, which holds a partition, may work on it, and from where.
 *
 * At any time at most one group may: the last owner, as long as it holds the partition; else, of the groups that hold
 * it (drains may run with different configurations), the one whose name sorts first. A group that is about to take over
 * commits a claim (`taking`) and looks again: a group that got the partition before the second look is seen there, and
 * one that gets it later sees the claim, and waits until it is settled or withdrawn.
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

/** The group that worked on the partition last; undefined if none did, or its commits are gone. */
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
  // A tie needs commits without turns. Another group that holds the partition wins: it may be at work.
  const [aWorks, bWorks] = [a, b].map(({ group, holds }) => holds && group !== own);
  return aWorks !== bWorks ? aWorks === true : a.group < b.group;
}
