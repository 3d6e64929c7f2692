import type { StoredLetter } from './letter.ts';

/** Letters of one kind. */
export interface LetterGroup {
  readonly stage: string;
  readonly reason: string;
  /** Topic that they came from; '' where that is not known. */
  readonly source: string;
  readonly letters: number;
  /** How many of them were redriven since. */
  readonly redriven: number;
  /** When the first and the last of them were written, in ms since the epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** `partition:offset` and message of the last one, as an example. */
  readonly example: string;
  readonly message: string;
}

/**
 * Counts letters by stage, reason and source topic. It keeps a few bytes a letter, since the marker that says that one
 * was redriven comes behind it.
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
    if (record.timestamp < group.lastMs) return;
    group.lastMs = record.timestamp;
    group.example = `${record.partition}:${record.offset}`;
    group.message = message;
  }

  /** The groups, those with most letters first. Call it once. */
  finish(isRedriven: (partition: number, offset: bigint) => boolean): readonly LetterGroup[] {
    for (const [at, group] of this.#kinds.entries()) {
      if (isRedriven(this.#partitions[at]!, BigInt(this.#offsets[at]!))) group.redriven += 1;
    }
    return [...this.#groups.values()].sort((a, b) => b.letters - a.letters || (a.reason < b.reason ? -1 : 1));
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
      this.#groups.set(key, (group = { stage, reason, source, ...none, example: '', message: '' }));
    }
    return group;
  }
}

type Group = { -readonly [K in keyof LetterGroup]: LetterGroup[K] };
