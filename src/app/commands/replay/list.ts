import { printable } from '../../../core/model/printable.ts';
import { listReplays as storedReplays } from '../../../services/replay/journal.ts';
import { isDone, type StoredReplay, shareOf } from '../../../services/replay/stored-replay.ts';
import { DONE, printJson } from '../command.ts';
import { formatTable } from '../text/table.ts';
import type { ReplayCommand } from './command.ts';
import { formatNumber, formatShare, formatTarget, formatTime } from './text.ts';

/** A replay without an update for this long, in ms, was killed or is cut off from Kafka. */
const SILENT_MS = 30_000;

export type ReplayState = 'done' | 'stopped' | 'running' | 'silent';

/** `silent`: no update for `SILENT_MS`, although a replay that only waits stores a heartbeat. */
export function stateOf(replay: StoredReplay, nowMs: number): ReplayState {
  if (isDone(replay)) return 'done';
  if (replay.phase === 'stopped') return 'stopped';
  return nowMs - replay.updatedMs < SILENT_MS ? 'running' : 'silent';
}

export async function listReplays({ admin, json }: ReplayCommand): Promise<number> {
  const { replays, unreadable } = await storedReplays(admin);
  const nowMs = Date.now();
  if (json) printJson({ replays: replays.map((replay) => asJson(replay, nowMs)), unreadable });
  else process.stdout.write(format(replays, nowMs));
  for (const reason of unreadable) process.stderr.write(`penstock replay: ${printable(reason)}\n`);
  return DONE;
}

function asJson(replay: StoredReplay, nowMs: number): object {
  const { id, spec, startedMs, updatedMs, counts, partitions } = replay;
  return {
    id,
    state: stateOf(replay, nowMs),
    topic: spec.topic,
    target: spec.target,
    share: shareOf(replay),
    records: counts.records,
    samples: counts.samples,
    left_out_samples: counts.leftOut,
    refused: Object.fromEntries(counts.refused),
    started: new Date(startedMs).toISOString(),
    updated: new Date(updatedMs).toISOString(),
    partitions: [...partitions].map(([partition, { from, to, position }]) => ({
      partition,
      from: Number(from),
      to: Number(to),
      position: Number(position),
    })),
  };
}

function format(replays: readonly StoredReplay[], nowMs: number): string {
  if (replays.length === 0) return 'no replays: none was begun, or Kafka has forgotten them\n';
  const rows = replays.map((replay) => [
    replay.id,
    stateOf(replay, nowMs),
    formatShare(shareOf(replay)),
    formatNumber(replay.counts.samples),
    replay.spec.topic,
    formatTarget(replay.spec.target),
    formatTime(replay.startedMs),
    formatTime(replay.updatedMs),
  ]);
  const table = formatTable([
    ['ID', 'STATE', 'DONE', 'SAMPLES', 'TOPIC', 'TARGET', 'BEGUN', 'LAST STEP'],
    ...rows,
  ]);
  const goesOn = replays.some((replay) => ['stopped', 'silent'].includes(stateOf(replay, nowMs)));
  const advice =
    'penstock replay --resume ID goes on with one that is stopped, or silent since its process was killed.';
  return goesOn ? `${table}\n\n${advice}\n` : `${table}\n`;
}
