import type { OffsetBounds } from '../../io/kafka/admin/admin.ts';
import type { AssignedPartition } from '../../io/kafka/group/assigned-partition.ts';
import type { GroupReader } from '../../io/kafka/group/group-reader.ts';
import { type OffsetGap, reportGap } from '../../io/kafka/group/partition-session.ts';
import type { Identity } from '../../io/kafka/topic/topic-identity.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { sleep } from '../../io/time/sleep.ts';
import type { TopicGroups } from './group-standings.ts';
import { type Decision, decide, type Owner, type Standing } from './last-owner.ts';
import { formatTurn, parseTurn, type TurnNote } from './turn.ts';

export interface TakeoverOptions {
  /** The group of this drain. */
  readonly group: string;
  readonly reader: Pick<GroupReader, 'commit' | 'committed' | 'lookAtTopic'>;
  readonly groups: Pick<TopicGroups, 'standings' | 'holds'>;
  readonly bounds: (partition: AssignedPartition) => Promise<OffsetBounds>;
  /** Whether the commits of nodes for the partition may have expired. */
  readonly isOld: (partition: AssignedPartition, bounds: OffsetBounds) => Promise<boolean>;
  /** Told of records that are missing, or may come again, where a partition begins. */
  readonly onGap: (gap: OffsetGap) => 'continue' | 'stop';
  /** Told once per assignment, when the work on a partition may begin. */
  readonly begun: (partition: AssignedPartition) => void;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Pause between looks at a partition that another group holds, in ms. */
  readonly pauseMs?: number;
}

type Take = Extract<Decision, { kind: 'take' }>;

/** Standings in a partition, without commits for a former topic of the same name. */
interface Look extends Pick<Identity, 'is'> {
  readonly standings: readonly Standing[];
  /** Highest offset committed for a former topic of the same name. */
  readonly before: bigint;
}

/** Start of a partition without a known owner. */
interface Origin {
  readonly offset: bigint;
  readonly from: 'never_read' | 'made_anew' | 'expired';
}

const PAUSE_MS = 1_000;

/**
 * Moves a partition from the group of one node to that of another, without a gap or a repeat: when nodes are added,
 * renamed or removed, when the task count grows, when a task returns.
 *
 * The new owner waits until the old one has released the partition, as long as a drain of that one lives: it may run
 * with a configuration in which the partition is still its own. Then it begins at the old owner's offset, and commits
 * that in its own group before it reads. All decisions are in `decide`.
 */
export class Takeover {
  readonly #options: TakeoverOptions;
  /** Turn of each partition that this process has begun: nobody else can get it while it is held. */
  readonly #turns = new WeakMap<AssignedPartition, number>();
  /** Starts of partitions without an owner: found once, since the first claim hides that there was none. */
  readonly #origins = new WeakMap<AssignedPartition, Origin>();

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /**
   * Resolves when this group may work on the partition, and its commit says where to begin. Also when the partition is
   * lost or drains meanwhile.
   *
   * @returns the turn of the partition, for the notes of its commits
   * @throws PartitionLostError
   */
  async settle(partition: AssignedPartition): Promise<number> {
    try {
      while (partition.active) {
        const known = this.#turns.get(partition);
        if (known !== undefined) return known;
        const turn = await this.#attempt(partition);
        if (turn !== undefined) {
          this.#turns.set(partition, turn);
          this.#options.begun(partition);
          return turn;
        }
        await this.#untilFree(partition);
      }
    } finally {
      partition.waitsFor = undefined;
    }
    return 0;
  }

  /** Waits for one pause, then as long as the group in `waitsFor` holds the partition. */
  async #untilFree(partition: AssignedPartition): Promise<void> {
    const { groups, pauseMs = PAUSE_MS } = this.#options;
    do await sleep(pauseMs, partition.ending);
    while (
      partition.active &&
      partition.waitsFor !== undefined &&
      (await groups.holds(partition.waitsFor, partition.partition))
    );
  }

  /** One look and its decision. @returns the turn; undefined: look again later */
  async #attempt(partition: AssignedPartition): Promise<number | undefined> {
    const all = await this.#options.groups.standings(partition.partition);
    const isOwn = ({ group }: Standing) => group === this.#options.group;
    if (!(await this.#isCurrent(partition, all.find(isOwn)?.commit))) return undefined;
    const look = await this.#ofThisTopic(partition, all);
    const own = look.standings.find(isOwn)?.commit;
    const decision = decide(this.#options.group, look.standings);
    switch (decision.kind) {
      case 'own':
        return own!.note.turn;
      case 'wait':
        // The claim of another group is settled or withdrawn within moments.
        partition.waitsFor = decision.yields ? this.#wait(partition, decision.group) : undefined;
        if (decision.yields) await this.#withdraw(partition, own);
        return undefined;
      case 'take':
        return await this.#take(partition, decision, look);
    }
  }

  /** Commits a claim, looks again, and takes the partition if the decision is still the same. */
  async #take(partition: AssignedPartition, decision: Take, look: Look): Promise<number | undefined> {
    const { turn, from } = decision;
    const origin = from ?? (await this.#origin(partition, look));
    const offset = 'commit' in origin ? origin.commit.offset : origin.offset;
    await this.#commit(partition, offset, { turn, state: 'taking' });
    const { standings } = await this.#look(partition);
    const again = decide(this.#options.group, standings);
    partition.waitsFor = undefined;
    if (again.kind === 'wait' && again.yields) {
      partition.waitsFor = this.#wait(partition, again.group);
      await this.#commit(partition, offset, { turn, state: 'withdrawn' });
    }
    if (again.kind !== 'take' || !isSame(again.from, from)) return undefined;
    // The first record of a partition without an owner was not sent: as after a hand-over.
    const state = from?.commit.note.state ?? 'handed over';
    await this.#commit(partition, offset, { turn, state });
    this.#tell(partition, origin, offset);
    return turn;
  }

  /** Withdraws the claim of an earlier attempt: it keeps others waiting. */
  async #withdraw(partition: AssignedPartition, own: Standing['commit']): Promise<void> {
    if (own?.note.state !== 'taking') return;
    await this.#commit(partition, own.offset, { turn: own.note.turn, state: 'withdrawn' });
  }

  async #look(partition: AssignedPartition): Promise<Look> {
    return await this.#ofThisTopic(partition, await this.#options.groups.standings(partition.partition));
  }

  /** Drops commits for a former topic of the same name. */
  async #ofThisTopic(partition: AssignedPartition, all: readonly Standing[]): Promise<Look> {
    const marks = all.flatMap(({ commit }) => (commit === undefined ? [] : [commit.mark]));
    const { topicId, is } = await this.#options.reader.lookAtTopic(partition, marks);
    let before = 0n;
    const standings = all.map((each) => {
      const { mark, offset } = each.commit ?? {};
      if (topicId === undefined || mark === undefined || mark.topicId === topicId) return each;
      if (offset !== undefined && offset > before) before = offset;
      return { ...each, commit: undefined };
    });
    return { standings, is, before };
  }

  /** Start at the oldest record; reports missing records. @throws FatalKafkaError if `onGap` says stop */
  async #origin(partition: AssignedPartition, { is, before }: Look): Promise<Origin> {
    const found = this.#origins.get(partition);
    if (found !== undefined) return found;
    const { bounds, isOld, onGap, log } = this.#options;
    const { low, high } = await bounds(partition);
    const { topic, partition: id } = partition;
    let from: Origin['from'] = 'never_read';
    if (is === 'another') from = 'made_anew';
    else if (await isOld(partition, { low, high })) from = 'expired';
    if (from !== 'never_read') {
      const records = from === 'expired' ? { from: low, to: high } : { from: 0n, to: before };
      reportGap({ topic, partition: id, ...records, reason: from }, { log, onGap });
    }
    const origin = { offset: low, from };
    this.#origins.set(partition, origin);
    return origin;
  }

  /** Whether the standing of this group is what its coordinator says: it may come from a deposed one. */
  async #isCurrent(partition: AssignedPartition, own: Standing['commit']): Promise<boolean> {
    const committed = await this.#options.reader.committed(partition);
    if (committed === undefined || own === undefined) return committed === own;
    return (
      committed.offset === own.offset && formatTurn(parseTurn(committed.metadata)) === formatTurn(own.note)
    );
  }

  #commit(partition: AssignedPartition, offset: bigint, note: TurnNote): Promise<void> {
    return this.#options.reader.commit(partition, offset, formatTurn(note));
  }

  #wait(partition: AssignedPartition, group: string): string {
    if (partition.waitsFor !== group) {
      const { topic, partition: id } = partition;
      this.#options.log.info(
        { topic, partition: id, group },
        'the partition has come to this node, and a drain of another one still holds it: waiting until that one lets go, ' +
          'as it does when it is stopped or has this configuration',
      );
    }
    return group;
  }

  #tell({ topic, partition }: AssignedPartition, from: Owner | Origin, offset: bigint): void {
    const { metrics, log, group } = this.#options;
    const fields = { topic, partition, offset: String(offset) };
    if ('offset' in from) {
      metrics.partitionStarts.inc({ topic, from: from.from });
      if (from.from === 'never_read')
        log.warn(fields, 'no node has read this partition: it begins at the oldest record');
    } else if (from.group !== group) {
      metrics.partitionStarts.inc({ topic, from: 'taken_over' });
      log.info({ ...fields, from: from.group }, 'taken over from another node, where that one stood');
    }
  }
}

function isSame(a: Owner | undefined, b: Owner | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.group === b.group && a.commit.offset === b.commit.offset && a.commit.note.turn === b.commit.note.turn
  );
}
