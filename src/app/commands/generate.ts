import { closeSync, openSync, writeSync } from 'node:fs';
import { Fleet } from '../../core/generate/fleet.ts';
import { encodeScrape, RECORD_HEADERS, type ScrapeRecord } from '../../core/generate/scrape-record.ts';
import { formatWritten, Written } from '../../core/generate/written.ts';
import { xxh64 } from '../../core/hash/xxhash64.ts';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import type { OutgoingRecord } from '../../core/model/records.ts';
import { duration } from '../../core/options/types.ts';
import { FatalKafkaError, isRefused } from '../../io/kafka/errors.ts';
import { PlainProducer } from '../../io/kafka/produce/plain-producer.ts';
import { epochMs, monotonicMs } from '../../io/time/clock.ts';
import { Backoff, sleep } from '../../io/time/sleep.ts';
import { ingestTopics } from '../../services/worker/options.ts';
import { loadConfig } from '../config/load.ts';
import { DONE, parseCommand, printJson, usageError } from './command.ts';
import { withKafkaAdmin } from './kafka-session.ts';

const HELP = `
penstock generate [OPTIONS]

Writes made-up business metrics to the (first) ingest topic, for trials: the services of a web shop in two namespaces,
pods that come and go, counters, histograms and gauges. Runs until SIGTERM or Ctrl-C, or for --duration.
The record's key is the pod: it decides the partition, so that a series stays in order.

  --series N             series that exist at one time, about (default: 2000)
  --interval DURATION    time between two scrapes of a pod (default: 5s)
  --duration DURATION    end after this time
  --seed N               same seed, same pods and values; only the times differ (default: 1)
  --series-per-record N  most series in one record (default: 500)
  --written FILE         at the end, every sample written as VictoriaMetrics' JSON lines, stale markers as null
                         (they are kept in memory until then)
`;

const OPTIONS = {
  series: { type: 'string', default: '2000' },
  interval: { type: 'string', default: '5s' },
  duration: { type: 'string' },
  seed: { type: 'string', default: '1' },
  'series-per-record': { type: 'string', default: '500' },
  written: { type: 'string' },
} as const;

/** Scrapes that fall due within this time go to Kafka together. */
const TICK_MS = 200;
const PROGRESS_MS = 2_000;

/** Writes records to the ingest topic; false if stopped before they were written. */
type Send = (records: readonly ScrapeRecord[]) => Promise<boolean>;

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(argv, { name: 'generate', help: HELP, options: OPTIONS });
  if (command === undefined) return DONE;
  const { values } = command;
  const fleet = {
    series: wholeNumber('series', values.series, 1, 1_000_000),
    seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
    intervalMs: milliseconds('interval', values.interval),
  };
  const perRecord = wholeNumber('series-per-record', values['series-per-record'], 1, 100_000);
  const durationMs =
    values.duration === undefined ? Number.POSITIVE_INFINITY : milliseconds('duration', values.duration);
  const config = loadConfig({ file: command.configFile, env: process.env });
  // Records say what they are, so any ingest topic takes them.
  const [{ topic }] = ingestTopics(config.worker);
  // Opened before anything is written to Kafka, so that a bad path fails early.
  const file = values.written === undefined ? undefined : openForWriting(values.written);
  const written = new Written({ keepSamples: file !== undefined });
  const stop = stopSignal();

  return await withKafkaAdmin('generate', config.kafka, async (admin, connection) => {
    await admin.requireTopics(new Map([[topic, 1]]));
    const partitions = (await admin.partitionCounts([topic])).get(topic)!;
    const producer = new PlainProducer(connection);
    const send: Send = (records) =>
      sendPatiently(
        producer,
        records.map((record) => outgoing(record, topic, partitions)),
        stop,
      );
    try {
      const startMs = epochMs();
      // A monotonic clock: samples keep their interval even if the system time is changed.
      const aheadMs = startMs - monotonicMs();
      const now = () => aheadMs + monotonicMs();
      await write(
        new Fleet({ ...fleet, startMs }),
        perRecord,
        startMs + durationMs,
        send,
        written,
        now,
        stop,
      );
    } finally {
      await producer.close();
    }
    if (file !== undefined) {
      for (const series of written.series) writeSync(file, `${formatWritten(series)}\n`);
      closeSync(file);
    }
    if (command.json) printJson({ ...written.total, groups: Object.fromEntries(written.groups) });
    else process.stderr.write(`generate: done, ${progressOf(written)}\n`);
    return DONE;
  });
}

async function write(
  fleet: Fleet,
  seriesPerRecord: number,
  endMs: number,
  send: Send,
  written: Written,
  now: () => number,
  stop: AbortSignal,
): Promise<void> {
  let shownMs = now();
  let shownSamples = 0;
  while (!stop.aborted && now() < endMs) {
    const due = [];
    for (const until = Math.min(now(), endMs); fleet.nextMs <= until; ) due.push(fleet.next());
    const sent = await send(due.flatMap((scrape) => encodeScrape(scrape, seriesPerRecord)));
    if (!sent) return;
    for (const scrape of due) written.add(scrape);

    const sinceMs = now() - shownMs;
    if (sinceMs >= PROGRESS_MS) {
      const rate = Math.round((written.total.samples - shownSamples) / (sinceMs / 1000));
      process.stderr.write(`generate: ${progressOf(written)}, ${fleet.pods} pods now, ${rate} samples/s\n`);
      shownMs += sinceMs;
      shownSamples = written.total.samples;
    }
    await sleep(TICK_MS, stop);
  }
}

function progressOf({ total: { samples, series, pods } }: Written): string {
  return `${samples} samples of ${series} series from ${pods} pods`;
}

/** Retries until the records are written or `stop` aborts. After a failed attempt some may be written twice. */
async function sendPatiently(
  producer: PlainProducer,
  records: readonly OutgoingRecord[],
  stop: AbortSignal,
): Promise<boolean> {
  const backoff = new Backoff(200, 5_000);
  while (!stop.aborted) {
    try {
      await producer.send(records);
      return true;
    } catch (error) {
      if (error instanceof FatalKafkaError || isRefused(error)) throw error;
      process.stderr.write(
        `generate: Kafka does not take records (${errorMessage(error)}); trying again, some may be there twice\n`,
      );
      await sleep(backoff.next(), stop);
    }
  }
  return false;
}

function outgoing(
  { key, value, timestampMs }: ScrapeRecord,
  topic: string,
  partitions: number,
): OutgoingRecord {
  const bytes = Buffer.from(key);
  const partition = Number(xxh64(bytes) % BigInt(partitions));
  return { topic, partition, key: bytes, value, headers: RECORD_HEADERS, timestamp: timestampMs };
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => controller.abort());
  return controller.signal;
}

function openForWriting(file: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw new ConfigError(`penstock generate: --written ${file} cannot be written: ${errorMessage(error)}`);
  }
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw usageError('generate', `--${option} ${text}: expected a whole number from ${least} to ${most}`);
}

function milliseconds(option: string, text: string): number {
  const result = duration().safeParse(text);
  if (result.success && result.data > 0) return result.data;
  throw usageError('generate', `--${option} ${text}: expected a time such as 500ms, 5s or 10m`);
}
