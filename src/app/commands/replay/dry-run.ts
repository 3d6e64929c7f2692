import { printableLines } from '../../../core/model/printable.ts';
import { DryRun } from '../../../services/replay/plan/dry-run.ts';
import { RateLimit } from '../../../services/replay/rate-limit.ts';
import { writeSteps } from '../../../services/replay/steps.ts';
import type { ReplaySpec, StoredReplay } from '../../../services/replay/stored-replay.ts';
import { DONE, FAILED, printJson } from '../command.ts';
import type { KafkaSession } from '../kafka-session.ts';
import { formatTable } from '../text/table.ts';
import type { RunOptions } from './arguments.ts';
import { ReplaySource } from './source.ts';
import { formatGap, formatNumber, formatRemainder, formatTarget, jsonOf } from './text.ts';

/** Headroom below the task topics' max_message_bytes. A rough figure will do, since nothing is written. */
const ROOM_BYTES = 64 * 1024;

/** `--dry-run`: reads the range, counts what would go where, and writes nothing. */
export async function dryRunReplay(
  session: KafkaSession,
  replay: StoredReplay,
  { rate, allowGaps, onCorruptBatch }: RunOptions,
): Promise<number> {
  const { config, connection, admin, json, line, nowMs } = session;
  const { spec } = replay;
  const source = new ReplaySource(session, spec, (message) => line.say(message));
  const { target } = spec;
  const topic = target.kind === 'route' ? target.topic : '';
  const maxRecordBytes = config.topics.tasks.max_message_bytes - ROOM_BYTES;
  const pipeline =
    target.route === undefined ? undefined : source.pipeline(target.route, topic, maxRecordBytes);
  const dryRun = new DryRun(source.selection, pipeline);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const end = await writeSteps(connection, admin, replay, dryRun, {
      pace: new RateLimit(rate),
      allowGaps,
      onCorruptBatch,
      prepare: source.prepare,
      stop: stop.signal,
      nowMs,
      events: {
        written: () => line.show(`${formatNumber(dryRun.counts.records)} records looked at`),
        gap: (gap) => line.say(formatGap(gap)),
      },
    });
    if (end === 'stopped') return FAILED;
  } finally {
    line.clear();
    await source.close();
  }
  if (json) printJson(asJson(spec, dryRun));
  else process.stdout.write(format(spec, dryRun));
  return DONE;
}

function asJson(spec: ReplaySpec, { counts, series, tasks }: DryRun): object {
  return {
    dry_run: true,
    ...jsonOf(spec, counts),
    series: series.size,
    tasks: inOrder(tasks).map(([task, each]) => ({
      task,
      records: each.records,
      samples: each.samples,
      series: each.series.size,
    })),
  };
}

function format({ topic, target }: ReplaySpec, { counts, series, tasks }: DryRun): string {
  const lines = [
    `${formatNumber(counts.records)} records of ${topic}: ${formatNumber(counts.samples)} samples of ` +
      `${formatNumber(series.size)} series would go to ${formatTarget(target)}`,
    ...formatRemainder(counts),
  ];
  if (tasks.size > 0) {
    const rows = inOrder(tasks).map(([task, each]) => [
      String(task),
      formatNumber(each.records),
      formatNumber(each.samples),
      formatNumber(each.series.size),
    ]);
    lines.push('', formatTable([['TASK', 'RECORDS', 'SAMPLES', 'SERIES'], ...rows]));
  }
  return `${printableLines(lines.join('\n'))}\nNothing was written.\n`;
}

function inOrder<T>(tasks: ReadonlyMap<number, T>): [number, T][] {
  return [...tasks].sort(([a], [b]) => a - b);
}
