/** Partitions a member claims when it joins the group. */
export interface Claim {
  readonly memberId: string;
  /** Generation in which the member held `owned`; the newer claim wins when two members name one partition. */
  readonly generation: number;
  readonly owned: readonly number[];
}

/**
 * Spreads partitions over members: even to within one, and each member keeps what it holds as far as that allows.
 *
 * Every member has an entry, also one that gets nothing. The result depends on the input alone, so that each
 * leader computes the same.
 *
 * @param partitions partition ids, each once
 * @returns member id ▸ its partitions, ascending
 */
export function assignSticky(partitions: readonly number[], claims: readonly Claim[]): Map<string, number[]> {
  const members = inOrder(claims);
  const assigned = new Map<string, number[]>(members.map(({ memberId }) => [memberId, []]));
  if (members.length === 0) return assigned;

  const floor = Math.floor(partitions.length / members.length);
  let extra = partitions.length % members.length;
  const holder = holders(partitions, members);
  const free: number[] = [];
  for (const partition of [...partitions].sort((a, b) => a - b)) {
    const own = assigned.get(holder.get(partition) ?? '');
    if (own !== undefined && own.length < floor) own.push(partition);
    else if (own !== undefined && own.length === floor && extra > 0) {
      own.push(partition);
      extra -= 1;
    } else free.push(partition);
  }
  const needy = members.map(({ memberId }) => assigned.get(memberId)!);
  for (const partition of free) {
    const taker =
      needy.find((own) => own.length < floor) ?? needy.find((own) => own.length === floor && extra > 0)!;
    if (taker.length === floor) extra -= 1;
    taker.push(partition);
  }
  for (const own of assigned.values()) own.sort((a, b) => a - b);
  return assigned;
}

/**
 * One round of a cooperative hand-over: a partition that is to move, and that another member still holds, is given to
 * nobody. Its holder sees that it is missing, finishes what is in flight, and joins again without claiming it.
 *
 * @returns member id ▸ its partitions in this round, ascending
 */
export function assignCooperatively(
  partitions: readonly number[],
  claims: readonly Claim[],
): Map<string, number[]> {
  const holder = holders(partitions, claims);
  const target = assignSticky(partitions, claims);
  return new Map(
    [...target].map(([memberId, own]) => [
      memberId,
      own.filter((partition) => (holder.get(partition) ?? memberId) === memberId),
    ]),
  );
}

/** Partition ▸ member with the newest claim to it. */
function holders(partitions: readonly number[], members: readonly Claim[]): Map<number, string> {
  const known = new Set(partitions);
  const newest = new Map<number, Claim>();
  for (const claim of inOrder(members)) {
    for (const partition of claim.owned) {
      const other = newest.get(partition);
      if (known.has(partition) && (other === undefined || other.generation < claim.generation)) {
        newest.set(partition, claim);
      }
    }
  }
  return new Map([...newest].map(([partition, claim]) => [partition, claim.memberId]));
}

function inOrder(claims: readonly Claim[]): Claim[] {
  return [...claims].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
}
