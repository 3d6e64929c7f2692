import type { StoredLetter } from '../../core/record/stored-letter.ts';

/** Most letters of a kind that are named. */
const EXAMPLES = 5;

/** Letters of one kind. */
export interface LetterGroup {
  readonly stage: string;
  readonly reason: string;
  /** Topic that they came from; '' if unknown. */
  readonly source: string;
  readonly letters: number;
  /** Number of them that were redriven since. */
  readonly redriven: number;
  /** When the first and the last of them were written, in ms since the epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** `partition:offset` of the newest ones, newest first; `message` is that of the newest. */
  readonly examples: readonly string[];
  readonly message: string;
}

/**
 * Counts letters by stage, reason and source topic. Keeps a few bytes per letter, since the marker that says a letter
 * was redriven comes after it.
 */
export class LetterCounts {
  readonly #groups = new Map<string, Group>();
  readonly #kinds: Group[] = [];
  readonly #partitions: number[] = [];
  readonly #offsets: number[] = [];

  add({ stage, reason, source, message, record }: StoredLetter): void {
    const group = this.#group(stage, reason, source?.topic ?? '');
    this.#kinds.push(group);
    this.#partitions.push(record.partition);
    this.#offsets.push(Number(record.offset));
    group.letters += 1;
    group.firstMs = Math.min(group.firstMs, record.timestamp);
    this.#keepExample(group, record);
    if (record.timestamp < group.lastMs) return;
    group.lastMs = record.timestamp;
    group.message = message;
  }

  #keepExample(group: Group, { partition, offset, timestamp }: StoredLetter['record']): void {
    const { latest } = group;
    if (latest.length === EXAMPLES && timestamp < latest.at(-1)!.timestamp) return;
    const before = latest.findIndex((each) => each.timestamp <= timestamp);
    latest.splice(before < 0 ? latest.length : before, 0, { at: `${partition}:${offset}`, timestamp });
    latest.length = Math.min(latest.length, EXAMPLES);
  }

  /** The groups, those with most letters first. Call it once. */
  finish(isRedriven: (partition: number, offset: bigint) => boolean): readonly LetterGroup[] {
    for (const [at, group] of this.#kinds.entries()) {
      if (isRedriven(this.#partitions[at]!, BigInt(this.#offsets[at]!))) group.redriven += 1;
    }
    const groups = [...this.#groups.values()].map(({ latest, ...group }): LetterGroup => {
      return { ...group, examples: latest.map(({ at }) => at) };
    });
    return groups.sort((a, b) => b.letters - a.letters || (a.reason < b.reason ? -1 : 1));
  }

  #group(stage: string, reason: string, source: string): Group {
    const key = `${stage}/${reason}/${source}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const none = {
        letters: 0,
        redriven: 0,
        firstMs: Number.POSITIVE_INFINITY,
        lastMs: Number.NEGATIVE_INFINITY,
      };
      this.#groups.set(key, (group = { stage, reason, source, ...none, latest: [], message: '' }));
    }
    return group;
  }
}

type Group = { -readonly [K in Exclude<keyof LetterGroup, 'examples'>]: LetterGroup[K] } & {
  /** The newest ones, newest first. */
  readonly latest: { at: string; timestamp: number }[];
};
