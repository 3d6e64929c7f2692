import { monotonicMs } from '../../../io/time/clock.ts';
import { sleep } from '../../../io/time/sleep.ts';
import { readReplay, requestStop, listReplays as storedReplays } from '../../../services/replay/journal.ts';
import { isDone, type StoredReplay, shareOf } from '../../../services/replay/stored-replay.ts';
import { DONE, FAILED, printJson } from '../command.ts';
import type { KafkaSession } from '../kafka-session.ts';
import { formatTable } from '../text/table.ts';
import { formatNumber, formatShare, formatTarget, formatTime, jsonOf } from './text.ts';

/** A replay without an update for this long, in ms, was killed or is cut off from Kafka. */
const SILENT_MS = 30_000;

type ReplayState = 'done' | 'stopped' | 'running' | 'silent';

/** `silent`: no update for `SILENT_MS`, although a replay that only waits stores a heartbeat. */
function stateOf(replay: StoredReplay, nowMs: number): ReplayState {
  if (isDone(replay)) return 'done';
  if (replay.phase === 'stopped') return 'stopped';
  return nowMs - replay.updatedMs < SILENT_MS ? 'running' : 'silent';
}

export async function listReplays({ admin, json, line, nowMs }: KafkaSession): Promise<number> {
  const { replays, unreadable } = await storedReplays(admin);
  const now = nowMs();
  if (json) printJson({ replays: replays.map((replay) => asJson(replay, now)), unreadable });
  else process.stdout.write(format(replays, now));
  for (const reason of unreadable) line.say(`penstock replay: ${reason}`);
  return DONE;
}

function asJson(replay: StoredReplay, nowMs: number): object {
  const { id, spec, startedMs, updatedMs, counts, partitions } = replay;
  return {
    id,
    state: stateOf(replay, nowMs),
    share: shareOf(replay),
    ...jsonOf(spec, counts),
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

const LOOK_EVERY_MS = 500;
/** Time to wait beyond the replay's own stop deadline, in ms. */
const GRACE_MS = 10_000;

/** Asks the process that runs a replay to stop, and waits until it has. */
export async function stopReplay(
  { config, connection, admin, json, nowMs }: KafkaSession,
  id: string,
): Promise<number> {
  const replay = await readReplay(admin, id);
  if (replay === undefined) {
    process.stderr.write(
      `penstock replay: there is no replay ${id}; penstock replay list shows those that there are\n`,
    );
    return FAILED;
  }
  if (isDone(replay) || replay.phase === 'stopped') return tell(replay, nowMs(), json);
  await requestStop(connection, replay, config.worker.transaction_timeout);
  const deadline = monotonicMs() + config.stop_deadline + GRACE_MS;
  for (;;) {
    const now = (await readReplay(admin, id)) ?? replay;
    if (isDone(now) || now.phase === 'stopped') return tell(now, nowMs(), json);
    if (now.run !== replay.run) {
      process.stderr.write(
        `penstock replay: ${id} was resumed by another process meanwhile; stop it again\n`,
      );
      return FAILED;
    }
    if (monotonicMs() > deadline) return giveUp(now);
    await sleep(LOOK_EVERY_MS);
  }
}

function tell(replay: StoredReplay, nowMs: number, json: boolean): number {
  const state = stateOf(replay, nowMs);
  const text =
    state === 'done'
      ? `replay ${replay.id} is done`
      : `replay ${replay.id} has stopped at ${formatShare(shareOf(replay))}; penstock replay --resume ${replay.id} goes on`;
  if (json) printJson({ id: replay.id, state, share: shareOf(replay) });
  else process.stdout.write(`${text}\n`);
  return DONE;
}

function giveUp({ id, updatedMs }: StoredReplay): number {
  process.stderr.write(
    `penstock replay: ${id} does not answer; its last step was at ${formatTime(updatedMs)}. It was killed, or is cut off ` +
      `from Kafka: then it stops when it sees the request. penstock replay --resume ${id} takes it over in any case\n`,
  );
  return FAILED;
}
