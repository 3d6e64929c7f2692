/** Which topic a committed offset is of, noted beside it. A name alone may be that of another topic by now. */
export interface TopicMark {
  readonly topicId: string;
  /** How many partitions it had. */
  readonly partitions: number;
  /** When the partition was first begun with that many, in s since the epoch. */
  readonly since: number;
}

/** Kafka's id of a topic is 16 bytes. */
const MARK = /^(.*?) ?topic:([\w-]{22})\/(\d{1,7})\/(\d{1,12})$/s;

/** What is kept beside an offset: a reader's own note, and the mark. */
export function withMark(note: string, mark: TopicMark | undefined): string {
  if (mark === undefined) return note;
  const { topicId, partitions, since } = mark;
  return `${note} topic:${topicId}/${partitions}/${since}`.trimStart();
}

/** The note and the mark of what is kept beside an offset; of earlier versions and other programs there is no mark. */
export function readMark(metadata: string): { readonly note: string; readonly mark: TopicMark | undefined } {
  const [, note, topicId, partitions, since] = MARK.exec(metadata) ?? [];
  if (note === undefined || topicId === undefined) return { note: metadata, mark: undefined };
  return { note, mark: { topicId, partitions: Number(partitions), since: Number(since) } };
}
