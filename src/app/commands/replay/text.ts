import { isoTime } from '../../../core/model/iso-time.ts';
import type { OffsetGap } from '../../../io/kafka/range/range-reader.ts';
import type { Cut } from '../../../services/replay/plan/range-plan.ts';
import type { ProgressSnapshot } from '../../../services/replay/progress.ts';
import type { ReplaySpec, ReplayTargetSpec } from '../../../services/replay/stored-replay.ts';
import type { ReplayCounts } from '../../../services/replay/target/target.ts';

const BAR_COLUMNS = 24;
/** Most partitions named in a line; the rest are only counted. */
const NAMED_PARTITIONS = 4;

export function formatNumber(value: number | bigint): string {
  return value.toLocaleString('en-US');
}

export function formatShare(share: number): string {
  // 100 % means complete, so nothing else is rounded up to it.
  const percent = share >= 1 ? 100 : Math.min(99.9, Math.floor(share * 1000) / 10);
  return `${percent.toFixed(1)} %`;
}

/** `45s`, `2m10s`, `3h05m`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

export function formatTime(ms: number): string {
  return isoTime(ms).replace(/\.\d+Z$/, 'Z');
}

export function formatTarget(target: ReplayTargetSpec): string {
  const routed =
    'route' in target && target.route !== undefined ? `, relabeled by route ${target.route}` : '';
  switch (target.kind) {
    case 'route':
      return `route ${target.route} into topic ${target.topic}`;
    case 'storage':
      return `storage ${target.url}${routed}`;
    case 'file':
      return `${target.file === '-' ? 'standard output' : `file ${target.file}`}${routed}`;
  }
}

/** What --json says of every replay: one that has ended, is listed, or is tried (--dry-run). */
export function jsonOf({ topic, target }: ReplaySpec, counts: ReplayCounts): object {
  return {
    topic,
    target,
    records: counts.records,
    samples: counts.samples,
    left_out_samples: counts.leftOut,
    refused: Object.fromEntries(counts.refused),
  };
}

/** Progress of a replay in one line. `waiting`: why it is paused, if it is. */
export function formatProgress(
  { share, samples, samplesPerSecond, secondsLeft, behind }: ProgressSnapshot,
  waiting: string | undefined,
): string {
  const left =
    waiting ?? (secondsLeft === undefined ? 'time left unknown' : `${formatSeconds(secondsLeft)} left`);
  const speed = `${formatNumber(samples)} samples, ${formatNumber(Math.round(samplesPerSecond))} samples/s`;
  return `${formatShare(share)}, ${speed}, ${left}${formatBehind(behind)}`;
}

/** The same with a bar, for a terminal. */
export function formatBar(snapshot: ProgressSnapshot, waiting: string | undefined): string {
  const { share, samplesPerSecond, secondsLeft, behind } = snapshot;
  const full = Math.floor(share * BAR_COLUMNS);
  const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_COLUMNS - full)}`;
  const left = waiting ?? (secondsLeft === undefined ? '' : `${formatSeconds(secondsLeft)} left`);
  const speed = `${formatNumber(Math.round(samplesPerSecond))} samples/s`;
  return `${bar} ${formatShare(share)}  ${speed}  ${left}${formatBehind(behind)}`;
}

function formatBehind(behind: ProgressSnapshot['behind']): string {
  if (behind.length === 0) return '';
  const named = behind.slice(0, NAMED_PARTITIONS).map(({ partition, offsets }) => `${partition}:${offsets}`);
  const more = behind.length - named.length;
  return `; behind the end ${named.join(' ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** What retention has taken, a line per partition. `times`: time of the first remaining record, by partition. */
export function formatCuts(cuts: readonly Cut[], times: ReadonlyMap<number, number>): string[] {
  return cuts.map(({ partition, low, gone, all }) => {
    const lost =
      gone === undefined ? 'what was there before is gone' : `${formatNumber(gone)} records are gone`;
    if (all) return `  partition ${partition}: nothing of the range is left: ${lost}`;
    const time = times.get(partition);
    const since = time === undefined ? '' : ` of ${formatTime(time)}`;
    return `  partition ${partition}: begins with offset ${low}${since}: ${lost}`;
  });
}

export function formatGap({ partition, from, to, corrupt }: OffsetGap): string {
  if (corrupt !== undefined)
    return `partition ${partition}: the offsets ${from}-${to - 1n} are left out, since they cannot be read: ${corrupt}`;
  return `partition ${partition}: retention has taken the offsets ${from}-${to - 1n} before they were replayed`;
}

/** Lines about samples left out and records refused; none if there were none. */
export function formatRemainder({ leftOut, refused }: Pick<ReplayCounts, 'leftOut' | 'refused'>): string[] {
  const lines: string[] = [];
  if (leftOut > 0)
    lines.push(`${formatNumber(leftOut)} samples were left out: not selected, or dropped by the route`);
  if (refused.size > 0) {
    const reasons = [...refused].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} ${count}`);
    lines.push(
      `records and series that cannot be used: ${reasons.join(', ')}; they are still in the topic, and penstock dead ` +
        'list says more of them if a worker has met them',
    );
  }
  return lines;
}
