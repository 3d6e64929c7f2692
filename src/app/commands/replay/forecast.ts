import { printableLines } from '../../../core/model/printable.ts';
import { DryRun } from '../../../services/replay/plan/dry-run.ts';
import { RateLimit } from '../../../services/replay/rate-limit.ts';
import { Replay } from '../../../services/replay/replay.ts';
import type { ReplaySpec } from '../../../services/replay/spec.ts';
import type { ReplayRange } from '../../../services/replay/stored-replay.ts';
import { DONE, FAILED, printJson } from '../command.ts';
import { defectNotes } from '../defect-notes.ts';
import { formatTable } from '../text/table.ts';
import type { RunOptions } from './arguments.ts';
import type { ReplayCommand, StatusLine } from './command.ts';
import { sourceDecoders } from './schemas.ts';
import { routePipeline, selectionOf } from './target.ts';
import { formatGap, formatNumber, formatRemainder, formatTarget } from './text.ts';

/** Headroom below the task topics' max_message_bytes. A rough figure will do, since nothing is written. */
const ROOM_BYTES = 64 * 1024;

/** `--dry-run`: reads the range, counts what would go where, and writes nothing. */
export async function forecastReplay(
  command: ReplayCommand,
  spec: ReplaySpec,
  partitions: ReadonlyMap<number, ReplayRange>,
  { how, statusLine }: { readonly how: RunOptions; readonly statusLine: StatusLine },
): Promise<number> {
  const { config, connection, admin, json } = command;
  const { topic, target } = spec;
  const source = sourceDecoders(config, topic, (message) => statusLine.say(message));
  const { decoders, prepare } = source;
  const route = target.route;
  const output = {
    topic: target.kind === 'route' ? target.topic : '',
    maxRecordBytes: config.topics.tasks.max_message_bytes - ROOM_BYTES,
  };
  const dryRun = new DryRun(
    selectionOf({ config, spec, decoders, onDefect: defectNotes((message) => statusLine.say(message)) }),
    route === undefined ? undefined : routePipeline({ config, decoders }, route, output),
  );
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const end = await new Replay(connection, admin, {
      topic,
      pace: new RateLimit(how.rate),
      allowGaps: how.allowGaps,
      onCorruptBatch: how.onCorruptBatch,
      open: async () => ({
        target: dryRun,
        partitions,
        keep: async () => undefined,
        close: async () => undefined,
      }),
      ...(prepare === undefined ? {} : { prepare: (step) => prepare(step, stop.signal) }),
      stop: stop.signal,
      events: {
        opened: () => undefined,
        written: () => statusLine.show(`${formatNumber(dryRun.counts.records)} records looked at`),
        gap: (gap) => statusLine.say(formatGap(gap)),
        retrying: () => undefined,
      },
    }).run();
    statusLine.clear();
    if (end === 'stopped') return FAILED;
  } finally {
    statusLine.clear();
    await source.close();
  }
  if (json) printJson(asJson(spec, dryRun));
  else process.stdout.write(format(spec, dryRun));
  return DONE;
}

function asJson({ topic, target }: ReplaySpec, { counts, series, tasks }: DryRun): object {
  return {
    dry_run: true,
    topic,
    target,
    records: counts.records,
    samples: counts.samples,
    series: series.size,
    left_out_samples: counts.leftOut,
    refused: Object.fromEntries(counts.refused),
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
