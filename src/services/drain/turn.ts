/**
 * What the group of a node notes beside each offset that it commits for a partition.
 *
 * Each time a partition goes from one node's group to another's its turn grows by one, so that of all groups' commits
 * the newest can be told, also where no record lay between two of them. Turn 0: written by a version without turns.
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

/** A note of another program, or none, says of the record at the offset that it may have been sent. */
export function parseTurn(note: string): TurnNote {
  if (note === 'handed over') return { turn: 0, state: 'handed over' };
  const [, turn = '0', state = 'working'] = NOTE.exec(note) ?? [];
  return { turn: Number(turn), state: STATES.has(state) ? (state as TurnNote['state']) : 'working' };
}

/** Whether a commit says where the group stands in a partition that it works on, or has worked on. */
export function isSettled({ state }: TurnNote): boolean {
  return state === 'working' || state === 'handed over';
}
