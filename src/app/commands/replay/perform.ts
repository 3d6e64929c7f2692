import { constants, setPriority } from 'node:os';
import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import { RateLimit } from '../../../services/replay/rate-limit.ts';
import { Replay, TakenOverError } from '../../../services/replay/replay.ts';
import { GapError } from '../../../services/replay/steps.ts';
import type { StoredReplay } from '../../../services/replay/stored-replay.ts';
import { WrongTargetError } from '../../../services/replay/target/target.ts';
import { observe } from '../../../services/status/observe.ts';
import { reportStatus } from '../../../services/status/report.ts';
import type { Config } from '../../config/load.ts';
import { FAILED } from '../command.ts';
import { expectedDeployment } from '../expected-deployment.ts';
import type { KafkaSession } from '../kafka-session.ts';
import type { RunOptions } from './arguments.ts';
import { ReplayReport } from './report.ts';
import { ReplaySource } from './source.ts';
import { targetFor } from './target.ts';

/** Time for the leftovers of an ended replay to end by themselves before the process exits. */
const LINGER_MS = 2_000;
/** Time after the deadline to report it and end. */
const HARD_STOP_GRACE_MS = 5_000;

/** Runs a replay until it ends or is told to stop. @returns the exit code */
export async function performReplay(
  session: KafkaSession,
  replay: StoredReplay,
  { rate, concurrency, yieldLag, allowGaps, onCorruptBatch, listen }: RunOptions,
  resumed: boolean,
): Promise<number> {
  const { config, connection, admin, line } = session;
  const { id, spec } = replay;
  const say = (message: string) => line.say(`replay ${id}: ${message}`);
  const stopping = stopOnSignal(config.stop_deadline, say);
  const { stop } = stopping;
  const source = new ReplaySource(session, spec, say);
  const openTarget = await targetFor(session, spec, source, {
    ...{ concurrency, resumed, say, stop },
    signal: stopping.ending,
  });
  const report = new ReplayReport(session, replay, resumed, () =>
    stopping.now('it was told to stop (penstock replay stop)'),
  );
  const running = new Replay(connection, admin, replay, {
    ...{ resumed, allowGaps, onCorruptBatch, openTarget, stop },
    transactionTimeoutMs: config.worker.transaction_timeout,
    pace: new RateLimit(rate),
    prepare: source.prepare,
    live: yieldLag === undefined ? undefined : { lag: liveLag(config, admin), most: yieldLag },
    events: report,
    nowMs: session.nowMs,
  });
  try {
    await report.start(listen ?? config.admin.listen);
    bePolite();
    return report.end(await running.run(), running.stored);
  } catch (error) {
    if (error instanceof GapError) return report.end('stopped', running.stored, error);
    if (error instanceof WrongTargetError && !resumed && (await running.forget()))
      say('nothing was written, and nothing is left of this replay: begin a new one');
    else if (running.begun && !(error instanceof TakenOverError))
      say(`penstock replay --resume ${id} goes on where it was`);
    throw error;
  } finally {
    stopping.done();
    line.clear();
    await Promise.allSettled([report.close(), source.close()]);
    // Closing a kafkajs client does not cancel all of its coordinator lookups.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

/** Records that the workers and drains of a deployment have not committed yet. */
function liveLag(config: Config, admin: KafkaAdmin): () => Promise<number> {
  const expected = expectedDeployment(config);
  return async () => {
    const { ingest, nodes } = reportStatus(expected, await observe(expected, admin));
    return [...ingest, ...nodes].reduce((sum, { lag }) => sum + lag, 0);
  };
}

/** The first SIGTERM or SIGINT stops softly, a second ends the process at once. The deadline ends all waiting. */
function stopOnSignal(deadlineMs: number, say: (message: string) => void) {
  const stop = new AbortController();
  const ending = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const now = (why: string) => {
    if (stop.signal.aborted) return;
    say(`${why}; finishing the step in hand`);
    stop.abort();
    timers.push(setTimeout(() => ending.abort(), deadlineMs));
    timers.push(setTimeout(() => process.exit(FAILED), deadlineMs + HARD_STOP_GRACE_MS));
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(FAILED);
    now(signal);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    /** Aborted: finish the current step, then end. */
    stop: stop.signal,
    /** Aborted: give up all waiting. */
    ending: ending.signal,
    now,
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
