import { ConfigError, errorMessage } from '../../../core/model/errors.ts';
import { printable } from '../../../core/model/printable.ts';
import { splitAddress } from '../../../core/options/address.ts';
import type { OffsetGap } from '../../../io/kafka/range/range-reader.ts';
import { AdminServer } from '../../../io/telemetry/admin-server.ts';
import { monotonicMs } from '../../../io/time/clock.ts';
import { ReplayMetrics } from '../../../services/replay/metrics.ts';
import { ReplayProgress } from '../../../services/replay/progress.ts';
import type { RateLimit } from '../../../services/replay/rate-limit.ts';
import type { GapError, ReplayEnd, ReplayEvents } from '../../../services/replay/replay.ts';
import { type ReplayRange, type StoredReplay, shareOf } from '../../../services/replay/stored-replay.ts';
import type { ReplayCounts } from '../../../services/replay/target/target.ts';
import { DONE, FAILED, printJson } from '../command.ts';
import type { ReplayCommand, StatusLine } from './command.ts';
import {
  formatBar,
  formatGap,
  formatNumber,
  formatProgress,
  formatRemainder,
  formatSeconds,
  formatShare,
  formatTarget,
} from './text.ts';

const BAR_EVERY_MS = 200;
const LINE_EVERY_MS = 10_000;

/** The parts of a stored replay that a report needs. */
type Described = Pick<StoredReplay, 'id' | 'spec' | 'partitions' | 'counts'>;

/** Reports on a replay while it runs and at its end: messages on standard error, metrics, and the result. */
export class ReplayReport implements ReplayEvents {
  readonly #command: ReplayCommand;
  readonly #of: {
    readonly replay: Described;
    readonly resumed: boolean;
    readonly pace: RateLimit;
    readonly statusLine: StatusLine;
  };
  readonly #metrics = new ReplayMetrics();
  readonly #progress = new ReplayProgress();
  readonly #gaps: OffsetGap[] = [];
  readonly #startedMs = monotonicMs();
  #admin: AdminServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waiting: string | undefined;
  #isFailing = false;

  constructor(
    command: ReplayCommand,
    of: {
      readonly replay: Described;
      readonly resumed: boolean;
      readonly pace: RateLimit;
      readonly statusLine: StatusLine;
    },
  ) {
    this.#command = command;
    this.#of = of;
  }

  /** Announces the replay, and serves metrics unless the address is taken. */
  async start(listen: string): Promise<void> {
    const { replay, resumed, statusLine } = this.#of;
    const { spec, partitions } = replay;
    const left = [...partitions.values()].reduce((sum, { position, to }) => sum + (to - position), 0n);
    const how = resumed ? `goes on at ${formatShare(shareOf(replay))}` : 'begins';
    this.#say(
      `${how}: ${formatNumber(left)} offsets in ${partitions.size} partitions of ${spec.topic}, to ${formatTarget(spec.target)}`,
    );
    this.#admin = new AdminServer({
      listen: splitAddress(listen),
      metrics: () => {
        this.#metrics.collect(this.#progress.snapshot(monotonicMs()), this.#of.pace.yielding);
        return this.#metrics.registry.metrics();
      },
      health: () => ({ ready: true }),
      readiness: () => ({ ready: true }),
      status: async () => ({
        command: 'replay',
        id: replay.id,
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
      if (statusLine.isTerminal) statusLine.show(formatBar(snapshot, this.#waiting));
      else this.#say(formatProgress(snapshot, this.#waiting));
    };
    this.#timer = setInterval(show, statusLine.isTerminal ? BAR_EVERY_MS : LINE_EVERY_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#admin?.close();
  }

  opened(partitions: ReadonlyMap<number, ReplayRange>): void {
    this.#progress.opened(partitions, monotonicMs());
    if (this.#isFailing) this.#say('goes on');
    this.#isFailing = false;
  }

  written(positions: ReadonlyMap<number, bigint>, counts: ReplayCounts): void {
    this.#metrics.written(counts);
    this.#progress.written(positions, counts.samples, monotonicMs());
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

  /** Pauses the replay for this reason; undefined: it goes on. */
  yields(why: string | undefined): void {
    this.#of.pace.yielding = why !== undefined;
    if ((why === undefined) !== (this.#waiting === undefined)) this.#say(why ?? 'goes on');
    this.#waiting = why;
  }

  /** Prints the result. @returns the exit code */
  end(end: ReplayEnd, stored: Described): number {
    clearInterval(this.#timer);
    const { id, spec, counts } = stored;
    const seconds = (monotonicMs() - this.#startedMs) / 1000;
    const { samples } = this.#progress.snapshot(monotonicMs());
    if (this.#command.json) {
      printJson({
        id,
        end,
        share: shareOf(stored),
        topic: spec.topic,
        target: spec.target,
        records: counts.records,
        samples: counts.samples,
        left_out_samples: counts.leftOut,
        refused: Object.fromEntries(counts.refused),
        gaps: this.#ranges(false),
        corrupt_batches: this.#ranges(true),
        seconds: Math.round(seconds * 10) / 10,
      });
      return end === 'done' ? DONE : FAILED;
    }
    const what = end === 'done' ? 'done' : `stopped at ${formatShare(shareOf(stored))}`;
    const speed = `${formatSeconds(seconds)}, ${formatNumber(Math.round(samples / Math.max(seconds, 0.001)))} samples/s`;
    this.#tell([
      `replay ${id}: ${what}: ${formatNumber(counts.samples)} samples of ${formatNumber(counts.records)} records (${speed})`,
      ...formatRemainder(counts),
      ...(end === 'done' ? [] : [`penstock replay --resume ${id} goes on`]),
    ]);
    return end === 'done' ? DONE : FAILED;
  }

  #ranges(corrupt: boolean) {
    return this.#gaps
      .filter((gap) => (gap.corrupt !== undefined) === corrupt)
      .map(({ partition, from, to }) => ({ partition, first: Number(from), last: Number(to - 1n) }));
  }

  /** Ends at a gap, reported already, that the replay may not skip. @returns the exit code */
  gapFound({ message }: GapError, stored: Described): number {
    clearInterval(this.#timer);
    if (this.#command.json) return this.end('stopped', stored);
    this.#of.statusLine.clear();
    process.stderr.write(
      `penstock replay: ${printable(message)}. What was before them is done; penstock replay --resume ${stored.id} --allow-gaps ` +
        'goes on behind them\n',
    );
    return FAILED;
  }

  #say(message: string): void {
    this.#of.statusLine.say(`replay ${this.#of.replay.id}: ${message}`);
  }

  /** The result goes to standard output, unless the samples do. */
  #tell(lines: readonly string[]): void {
    const { target } = this.#of.replay.spec;
    this.#of.statusLine.clear();
    const stream = target.kind === 'file' && target.file === '-' ? process.stderr : process.stdout;
    stream.write(`${lines.map(printable).join('\n')}\n`);
  }
}
