import { monotonicMs } from '../../../io/time/clock.ts';
import { sleep } from '../../../io/time/sleep.ts';
import { readReplay } from '../../../services/replay/journal.ts';
import { requestStop } from '../../../services/replay/stop-request.ts';
import { isDone, type StoredReplay, shareOf } from '../../../services/replay/stored-replay.ts';
import { DONE, FAILED, printJson } from '../command.ts';
import type { ReplayCommand } from './command.ts';
import { stateOf } from './list.ts';
import { formatShare, formatTime } from './text.ts';

const LOOK_EVERY_MS = 500;
/** Time to wait beyond the replay's own stop deadline, in ms. */
const GRACE_MS = 10_000;

/** Asks the process that runs a replay to stop, and waits until it has. */
export async function stopReplay(
  { config, connection, admin, json }: ReplayCommand,
  id: string,
): Promise<number> {
  const replay = await readReplay(admin, id);
  if (replay === undefined) {
    process.stderr.write(
      `penstock replay: there is no replay ${id}; penstock replay list shows those that there are\n`,
    );
    return FAILED;
  }
  if (isDone(replay) || replay.phase === 'stopped') return tell(replay, json);
  await requestStop(connection, replay, config.worker.transaction_timeout);
  const deadline = monotonicMs() + config.stop_deadline + GRACE_MS;
  for (;;) {
    const now = (await readReplay(admin, id)) ?? replay;
    if (isDone(now) || now.phase === 'stopped') return tell(now, json);
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

function tell(replay: StoredReplay, json: boolean): number {
  const state = stateOf(replay, Date.now());
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
