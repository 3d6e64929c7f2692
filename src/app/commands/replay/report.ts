import { ConfigError, errorMessage } from '../../../core/model/errors.ts';
import { printable } from '../../../core/model/printable.ts';
import { splitAddress } from '../../../core/options/address.ts';
import type { OffsetGap } from '../../../io/kafka/range/range-reader.ts';
import { AdminServer } from '../../../io/telemetry/admin-server.ts';
import { monotonicMs } from '../../../io/time/clock.ts';
import { ReplayMetrics } from '../../../services/replay/metrics.ts';
import { ReplayProgress } from '../../../services/replay/progress.ts';
import type { ReplayEvents } from '../../../services/replay/replay.ts';
import type { GapError, ReplayEnd } from '../../../services/replay/steps.ts';
import { type StoredReplay, shareOf } from '../../../services/replay/stored-replay.ts';
import type { ReplayCounts } from '../../../services/replay/target/target.ts';
import { DONE, FAILED, printJson } from '../command.ts';
import type { KafkaSession } from '../kafka-session.ts';
import {
  formatBar,
  formatGap,
  formatNumber,
  formatProgress,
  formatRemainder,
  formatSeconds,
  formatShare,
  formatTarget,
  jsonOf,
} from './text.ts';

const BAR_EVERY_MS = 200;
const LINE_EVERY_MS = 10_000;

/** Reports on a replay while it runs and at its end: messages on standard error, metrics, and the result. */
export class ReplayReport implements ReplayEvents {
  readonly #session: KafkaSession;
  readonly #replay: StoredReplay;
  readonly #resumed: boolean;
  readonly stopRequested: () => void;
  readonly #metrics = new ReplayMetrics();
  readonly #progress = new ReplayProgress();
  readonly #gaps: OffsetGap[] = [];
  readonly #startedMs = monotonicMs();
  #admin: AdminServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waiting: string | undefined;
  #isFailing = false;

  /** @param replay as it is begun or resumed */
  constructor(session: KafkaSession, replay: StoredReplay, resumed: boolean, stopRequested: () => void) {
    this.#session = session;
    this.#replay = replay;
    this.#resumed = resumed;
    this.stopRequested = stopRequested;
  }

  /** Announces the replay, and serves metrics unless the address is taken. */
  async start(listen: string): Promise<void> {
    const { line } = this.#session;
    const { id, spec, partitions } = this.#replay;
    const left = [...partitions.values()].reduce((sum, { position, to }) => sum + (to - position), 0n);
    const how = this.#resumed ? `goes on at ${formatShare(shareOf(this.#replay))}` : 'begins';
    this.#say(
      `${how}: ${formatNumber(left)} offsets in ${partitions.size} partitions of ${spec.topic}, to ${formatTarget(spec.target)}`,
    );
    this.#admin = new AdminServer({
      listen: splitAddress(listen),
      metrics: () => {
        this.#metrics.collect(this.#progress.snapshot(monotonicMs()), this.#waiting !== undefined);
        return this.#metrics.registry.metrics();
      },
      health: () => ({ ready: true }),
      readiness: () => ({ ready: true }),
      status: async () => ({
        command: 'replay',
        id,
        pid: process.pid,
        waiting: this.#waiting ?? null,
        ...this.#progress.snapshot(monotonicMs()),
      }),
    });
    await this.#admin.start().catch((error: unknown) => {
      if (!(error instanceof ConfigError)) throw error;
      this.#admin = undefined;
      this.#say(
        `${errorMessage(error)}; going on without /metrics, --listen HOST:PORT serves them elsewhere`,
      );
    });
    const show = () => {
      const snapshot = this.#progress.snapshot(monotonicMs());
      if (line.isTerminal) line.show(formatBar(snapshot, this.#waiting));
      else this.#say(formatProgress(snapshot, this.#waiting));
    };
    this.#timer = setInterval(show, line.isTerminal ? BAR_EVERY_MS : LINE_EVERY_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#admin?.close();
  }

  opened(partitions: StoredReplay['partitions']): void {
    this.#progress.opened(partitions, monotonicMs());
    if (this.#isFailing) this.#say('goes on');
    this.#isFailing = false;
  }

  written(counts: ReplayCounts, partitions: StoredReplay['partitions']): void {
    this.#metrics.written(counts);
    this.#progress.written(partitions, counts.samples, monotonicMs());
  }

  gap(gap: OffsetGap): void {
    this.#metrics.gap(gap);
    this.#gaps.push(gap);
    this.#say(formatGap(gap));
  }

  retrying(error: unknown): void {
    this.#metrics.retried();
    if (!this.#isFailing) this.#say(`${errorMessage(error)}; trying again`);
    this.#isFailing = true;
  }

  yields(lag: number | undefined): void {
    const why =
      lag === undefined ? undefined : `waiting: workers and drains are ${formatNumber(lag)} records behind`;
    if ((why === undefined) !== (this.#waiting === undefined)) this.#say(why ?? 'goes on');
    this.#waiting = why;
  }

  /** Prints the result. @param gap found, and reported already; the replay may not go on behind it. @returns the exit code */
  end(end: ReplayEnd, { id, spec, counts, partitions }: StoredReplay, gap?: GapError): number {
    clearInterval(this.#timer);
    const seconds = (monotonicMs() - this.#startedMs) / 1000;
    const { samples } = this.#progress.snapshot(monotonicMs());
    const share = shareOf({ partitions });
    const code = end === 'done' ? DONE : FAILED;
    if (this.#session.json)
      printJson({
        ...{ id, end, share },
        ...jsonOf(spec, counts),
        gaps: this.#ranges(false),
        corrupt_batches: this.#ranges(true),
        seconds: Math.round(seconds * 10) / 10,
      });
    else if (gap !== undefined)
      this.#session.line.say(
        `penstock replay: ${gap.message}. What was before them is done; penstock replay --resume ${id} --allow-gaps ` +
          'goes on behind them',
      );
    else {
      const what = end === 'done' ? 'done' : `stopped at ${formatShare(share)}`;
      const speed = `${formatSeconds(seconds)}, ${formatNumber(Math.round(samples / Math.max(seconds, 0.001)))} samples/s`;
      this.#tell([
        `replay ${id}: ${what}: ${formatNumber(counts.samples)} samples of ${formatNumber(counts.records)} records (${speed})`,
        ...formatRemainder(counts),
        ...(end === 'done' ? [] : [`penstock replay --resume ${id} goes on`]),
      ]);
    }
    return code;
  }

  #ranges(corrupt: boolean) {
    return this.#gaps
      .filter((gap) => (gap.corrupt !== undefined) === corrupt)
      .map(({ partition, from, to }) => ({ partition, first: Number(from), last: Number(to - 1n) }));
  }

  #say(message: string): void {
    this.#session.line.say(`replay ${this.#replay.id}: ${message}`);
  }

  /** The result goes to standard output, unless the samples do. */
  #tell(lines: readonly string[]): void {
    const { target } = this.#replay.spec;
    this.#session.line.clear();
    const stream = target.kind === 'file' && target.file === '-' ? process.stderr : process.stdout;
    stream.write(`${lines.map(printable).join('\n')}\n`);
  }
}
