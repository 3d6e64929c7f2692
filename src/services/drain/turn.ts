/**
 * Metadata of each offset that the group of a node commits for a partition.
 *
 * Each time a partition goes from one node's group to another's its turn grows by one. So the newest of all groups'
 * commits can be told even if no record lies between two of them. Turn 0: written by a version without turns.
 */
export interface TurnNote {
  readonly turn: number;
  /**
   * - working: a record may have been sent after this commit.
   * - handed over: the work ended in order, the record at the offset was not sent.
   * - taking: this group means to take the partition over, and looks once more whether another one works on it.
   * - withdrawn: it did not take it.
   */
  readonly state: 'working' | 'handed over' | 'taking' | 'withdrawn';
}

const STATES: ReadonlySet<string> = new Set<TurnNote['state']>([
  'working',
  'handed over',
  'taking',
  'withdrawn',
]);
const NOTE = /^turn (\d{1,15})(?: (.*))?$/;

export function formatTurn({ turn, state }: TurnNote): string {
  return state === 'working' ? `turn ${turn}` : `turn ${turn} ${state}`;
}

/** No note, or that of another program, counts as `working`: the record at the offset may have been sent. */
export function parseTurn(note: string): TurnNote {
  if (note === 'handed over') return { turn: 0, state: 'handed over' };
  const [, turn = '0', state = 'working'] = NOTE.exec(note) ?? [];
  return { turn: Number(turn), state: STATES.has(state) ? (state as TurnNote['state']) : 'working' };
}

/** How the last reader of a partition has left it, for the one that begins where it stood. */
export type Handover =
  /** Nobody has: reading does not begin at a commit. */
  | 'none'
  /** It ended without a word: the first record may have been sent. */
  | 'unclean'
  /** In order: the first record was not sent. */
  | 'clean';

/** @param note that of the commit at which reading begins; undefined: it begins at none */
export function parseHandover(note: string | undefined): Handover {
  if (note === undefined) return 'none';
  return parseTurn(note).state === 'working' ? 'unclean' : 'clean';
}

/** Whether a commit is a position in a partition that the group works on, or has worked on; no claim. */
export function isSettled({ state }: TurnNote): boolean {
  return state === 'working' || state === 'handed over';
}
