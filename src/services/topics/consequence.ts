import { isoTime } from '../../core/model/iso-time.ts';

/** Effect of an altered setting on the records in the topic and on those still to be written. */
export interface Consequence {
  readonly text: string;
  /** True if it deletes records, or refuses records that were accepted so far. */
  readonly takesRecords: boolean;
}

/** What is known of the records in a topic. */
export interface TopicContents {
  /** Time of its oldest record, in ms since the epoch; undefined where it is empty or cannot be read. */
  readonly oldestMs?: number | undefined;
}

/** Settings that bound how much is kept; -1 keeps everything. */
const KEPT = new Set(['retention.ms', 'retention.bytes', 'local.retention.ms', 'local.retention.bytes']);
const CLEANUP: Readonly<Record<string, string>> = {
  delete: 'records older than retention.ms, or beyond retention.bytes, will be deleted',
  compact: 'of the records with one key only the last is kept, and records without a key are refused',
};

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const;

/** @param from undefined if the cluster does not tell: the worst is assumed */
export function consequenceOf(
  name: string,
  from: string | undefined,
  to: string,
  contents: TopicContents,
): Consequence {
  if (name === 'cleanup.policy') return ofCleanup(from, to);
  const smaller = from === undefined || bound(name, to) < bound(name, from);
  if (name === 'retention.ms' && smaller) {
    const text = `records older than ${formatDuration(Number(to))} will be deleted${oldest(contents)}`;
    return { text, takesRecords: true };
  }
  if (KEPT.has(name)) {
    return smaller
      ? {
          text: `what lies beyond ${to} will be deleted, oldest first${oldest(contents)}`,
          takesRecords: true,
        }
      : { text: 'records are kept for longer and take more disk', takesRecords: false };
  }
  if (name === 'max.message.bytes') {
    return smaller
      ? {
          text: `records there stay; larger ones than ${to} bytes are refused from then on`,
          takesRecords: true,
        }
      : { text: 'larger records are taken; readers need memory for them', takesRecords: false };
  }
  if (name.startsWith('message.timestamp.') && name.endsWith('.max.ms')) {
    return smaller
      ? { text: 'records with times further away are refused from then on', takesRecords: true }
      : { text: 'records with times further away are taken', takesRecords: false };
  }
  if (name === 'min.insync.replicas') {
    return smaller
      ? { text: `a record counts as written once ${to} replicas have it`, takesRecords: false }
      : { text: `writes fail while fewer than ${to} replicas are in sync`, takesRecords: false };
  }
  return { text: 'records that are there stay', takesRecords: false };
}

/** `24h`, `90m`, `7d`: a whole number of the largest unit that allows it. */
export function formatDuration(ms: number): string {
  if (ms < 0) return 'for ever';
  const [size, unit] = UNITS.find(([each]) => ms % each === 0 && ms >= each) ?? [1, 'ms'];
  return `${ms / size}${unit}`;
}

function bound(name: string, value: string): number {
  const number = Number(value);
  return KEPT.has(name) && number < 0 ? Number.POSITIVE_INFINITY : number;
}

function ofCleanup(from: string | undefined, to: string): Consequence {
  const list = (value = '') => value.split(',').map((each) => each.trim());
  const added = list(to).filter((each) => each !== '' && !list(from).includes(each));
  if (added.length === 0) return { text: 'records that are there stay', takesRecords: false };
  return { text: added.map((each) => CLEANUP[each] ?? each).join('; '), takesRecords: true };
}

function oldest({ oldestMs }: TopicContents): string {
  return oldestMs === undefined ? '' : `: the oldest now is from ${isoTime(oldestMs)}`;
}
