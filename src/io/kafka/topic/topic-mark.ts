/** Identifies the topic of a committed offset, and is stored in its metadata: the name may be reused. */
export interface TopicMark {
  readonly topicId: string;
  /** Number of partitions of the topic. */
  readonly partitions: number;
  /** When the partition was first begun with that many, in s since the epoch. */
  readonly since: number;
}

/** A topic id is 16 bytes: 22 characters of base64url. */
const MARK = /^(.*?) ?topic:([\w-]{22})\/(\d{1,7})\/(\d{1,12})$/s;

/** Commit metadata: the reader's note, then the mark. */
export function withMark(note: string, mark: TopicMark | undefined): string {
  if (mark === undefined) return note;
  const { topicId, partitions, since } = mark;
  return `${note} topic:${topicId}/${partitions}/${since}`.trimStart();
}

/** Splits commit metadata into note and mark; without a mark from earlier versions and other programs. */
export function readMark(metadata: string): { readonly note: string; readonly mark: TopicMark | undefined } {
  const [, note, topicId, partitions, since] = MARK.exec(metadata) ?? [];
  if (note === undefined || topicId === undefined) return { note: metadata, mark: undefined };
  return { note, mark: { topicId, partitions: Number(partitions), since: Number(since) } };
}
