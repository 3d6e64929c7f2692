import { randomBytes } from 'node:crypto';
import { constants, setPriority } from 'node:os';
import { sleep } from '../../../io/time/sleep.ts';
import { RateLimit } from '../../../services/replay/rate-limit.ts';
import { GapError, Replay } from '../../../services/replay/replay.ts';
import { isStopRequested } from '../../../services/replay/stop-request.ts';
import { WrongTargetError } from '../../../services/replay/target/target.ts';
import { FAILED } from '../command.ts';
import { expectedDeployment } from '../expected-deployment.ts';
import type { RunOptions } from './arguments.ts';
import type { ReplayCommand, StatusLine } from './command.ts';
import { ReplayReport } from './report.ts';
import { sourceDecoders } from './schemas.ts';
import { type NewReplay, Sessions, TakenOverError } from './sessions.ts';
import { targetFor } from './target.ts';
import { formatNumber } from './text.ts';
import { liveLag, watch } from './watch.ts';

const STOP_POLL_MS = 2_000;
const LAG_POLL_MS = 2_000;
/** Time for the watches to finish their current poll at the end. */
const WATCHES_END_MS = 5_000;
/** Time for the leftovers of an ended replay to end by themselves before the process exits. */
const LINGER_MS = 2_000;
/** Time after the deadline to report it and end. */
const HARD_STOP_GRACE_MS = 5_000;

/** @returns the exit code */
export async function performReplay(
  command: ReplayCommand,
  replay: NewReplay,
  {
    resumed,
    how,
    statusLine,
  }: { readonly resumed: boolean; readonly how: RunOptions; readonly statusLine: StatusLine },
): Promise<number> {
  const { config, connection, admin } = command;
  const { id, spec } = replay;
  const run = randomBytes(6).toString('hex');
  const say = (message: string) => statusLine.say(`replay ${id}: ${message}`);
  const stopping = stopOnSignal(config.stop_deadline, say);
  const pace = new RateLimit(how.rate);
  const source = sourceDecoders(config, spec.topic, say);
  const { decoders, prepare } = source;
  const openTarget = await targetFor({
    config,
    connection,
    admin,
    spec,
    decoders,
    concurrency: how.concurrency,
    resumed,
    stop: stopping.signal,
    ending: stopping.ending,
    say,
  });
  const sessions = new Sessions(command, { replay, run, resumed }, openTarget);
  const ended = new AbortController();
  const watches: Promise<void>[] = [];
  const report = new ReplayReport(command, { replay, resumed, pace, statusLine });
  try {
    await report.start(how.listen ?? config.admin.listen);
    bePolite();
    const lookForStop = async () => {
      if (await isStopRequested(admin, id, run)) stopping.stop('it was told to stop (penstock replay stop)');
    };
    watches.push(watch(STOP_POLL_MS, ended.signal, lookForStop));
    const { yieldLag } = how;
    if (yieldLag !== undefined) {
      const expected = expectedDeployment(config);
      const look = async () => {
        const lag = await liveLag(expected, admin);
        report.yields(
          lag > yieldLag ? `waiting: workers and drains are ${formatNumber(lag)} records behind` : undefined,
        );
      };
      await look();
      watches.push(watch(LAG_POLL_MS, ended.signal, look));
    }
    const end = await new Replay(connection, admin, {
      topic: spec.topic,
      topicId: spec.topicId,
      pace,
      allowGaps: how.allowGaps,
      onCorruptBatch: how.onCorruptBatch,
      open: () => sessions.open(),
      ...(prepare === undefined ? {} : { prepare: (step) => prepare(step, stopping.signal) }),
      stop: stopping.signal,
      events: report,
    }).run();
    return report.end(end, sessions.stored ?? replay);
  } catch (error) {
    if (error instanceof GapError) return report.gapFound(error, sessions.stored ?? replay);
    if (error instanceof WrongTargetError && !resumed && (await sessions.forget()))
      say('nothing was written, and nothing is left of this replay: begin a new one');
    else if (sessions.begun && !(error instanceof TakenOverError))
      say(`penstock replay --resume ${id} goes on where it was`);
    throw error;
  } finally {
    ended.abort();
    stopping.done();
    statusLine.clear();
    // The watches first: a client that gets a request after it was closed connects again.
    await within(Promise.allSettled(watches), WATCHES_END_MS);
    await Promise.allSettled([report.close(), source.close()]);
    endSoon();
  }
}

/** Waits for `work`, at most `ms`. */
async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, sleep(ms, done.signal)]);
  done.abort();
}

/**
 * Ends the process even if something still waits: closing a kafkajs client does not cancel all of its coordinator
 * lookups.
 */
function endSoon(): void {
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

interface Stopping {
  /** Aborted: finish the current step, then end. */
  readonly signal: AbortSignal;
  /** Aborted: give up all waiting. */
  readonly ending: AbortSignal;
  stop(why: string): void;
  done(): void;
}

/** The first SIGTERM or SIGINT stops softly, a second ends the process at once. The deadline ends all waiting. */
function stopOnSignal(deadlineMs: number, say: (message: string) => void): Stopping {
  const stop = new AbortController();
  const ending = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const stopNow = (why: string) => {
    if (stop.signal.aborted) return;
    say(`${why}; finishing the step in hand`);
    stop.abort();
    timers.push(setTimeout(() => ending.abort(), deadlineMs));
    timers.push(setTimeout(() => process.exit(FAILED), deadlineMs + HARD_STOP_GRACE_MS));
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(FAILED);
    stopNow(signal);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: stop.signal,
    ending: ending.signal,
    stop: stopNow,
    done: () => {
      for (const timer of timers) clearTimeout(timer);
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    },
  };
}

/** Lowers the priority, so that live processes on the same machine go first. Not every system allows it. */
function bePolite(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A courtesy only: the replay is correct without it.
  }
}
