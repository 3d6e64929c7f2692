import { isUtf8 } from 'node:buffer';
import { DecoderRegistry } from '../../../core/decode/registry.ts';
import type { SchemaId, SchemaSource, WriterSchema } from '../../../core/decode/schema/writer-schema.ts';
import { topicDecoders } from '../../../core/decode/topic-decoders.ts';
import { errorMessage, PoisonError, RetryableError } from '../../../core/model/errors.ts';
import { isoTime } from '../../../core/model/iso-time.ts';
import { printable, quoted } from '../../../core/model/printable.ts';
import { HEADER } from '../../../core/record/headers.ts';
import { isRecordTime } from '../../../core/record/record-time.ts';
import { readLetter, type StoredLetter } from '../../../core/record/stored-letter.ts';
import type { FetchedRecord } from '../../../io/kafka/partition-queue.ts';
import { readRanges } from '../../../io/kafka/range/range-reader.ts';
import { RegistryClient } from '../../../io/registry/client.ts';
import type { RegistryOptions } from '../../../io/registry/options.ts';
import {
  type Contents,
  contentsOf,
  neededSchema,
  type ShownSeries,
} from '../../../services/dead/contents.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import type { Config } from '../../config/load.ts';
import { DONE, FAILED, printJson } from '../command.ts';
import { formatTable } from '../text/table.ts';
import type { DeadSession } from './session.ts';

const DUMPED_BYTES = 512;
const SHOWN_SERIES = 20;
const SHOWN_SAMPLES = 10;
const SHOWN_TEXT = 4_000;
/** Control characters other than tab and line ends: a value with one is not text. */
const CONTROL = /(?![\t\r\n])\p{Cc}/u;

export async function showLetter(
  { config, connection, admin, topic, json }: DeadSession,
  { partition, offset }: { partition: number; offset: bigint },
  raw: boolean,
): Promise<number> {
  const bound = (await admin.offsetBounds(topic, [partition])).get(partition);
  let record: FetchedRecord | undefined;
  if (bound !== undefined && offset >= bound.low && offset < bound.high) {
    const ranges = new Map([[partition, { from: offset, to: offset + 1n }]]);
    await readRanges(connection, admin, { topic, ranges, visit: ([first]) => void (record = first) });
  }
  const letter = record && readLetter(record);
  if (letter === undefined) {
    process.stderr.write(`penstock dead: ${notThere(topic, partition, offset, bound, record)}\n`);
    return FAILED;
  }
  if (raw) {
    process.stdout.write(letter.record.value ?? Buffer.alloc(0));
    return DONE;
  }
  const decoders = await decodersFor(letter, config);
  const contents = contentsOf(letter, decoders, json ? Number.POSITIVE_INFINITY : SHOWN_SERIES);
  if (json) printJson(asJson(letter, contents));
  else process.stdout.write(formatLetter(topic, letter, contents));
  return DONE;
}

async function decodersFor(letter: StoredLetter, { worker, registry }: Config): Promise<DecoderRegistry> {
  if (letter.stage === 'deliver') return new DecoderRegistry('remote_write_v1');
  const [first, ...others] = ingestTopics(worker);
  const withSchemas = (schemas?: SchemaSource) => {
    const decoders = topicDecoders([{ ...first, schemas }, ...others.map((each) => ({ ...each, schemas }))]);
    return decoders(letter.source?.topic ?? '');
  };
  const decoders = withSchemas();
  const id = neededSchema(letter, decoders);
  return id === undefined ? decoders : withSchemas(await oneSchema(registry, id));
}

function notThere(
  topic: string,
  partition: number,
  offset: bigint,
  bound: { low: bigint; high: bigint } | undefined,
  record: FetchedRecord | undefined,
): string {
  const at = `${topic} has no dead letter at ${partition}:${offset}`;
  if (bound === undefined) return `${at}: it has no partition ${partition}`;
  if (offset < bound.low || offset >= bound.high)
    return `${at}: partition ${partition} has the offsets ${bound.low} to ${bound.high - 1n}`;
  if (record !== undefined)
    return `${at}: the record there is a marker of penstock dead redrive, or of another writer`;
  return `${at}: the offset belongs to the end of a transaction, or to one that was aborted`;
}

function headersOf({ record }: StoredLetter): [string, string][] {
  return Object.entries(record.headers).map(([name, value]) => [name, value?.toString() ?? '']);
}

/** Headers for the table: the timestamp header, in ms, is shown as a time too. */
function headerRows(letter: StoredLetter): [string, string][] {
  return headersOf(letter).map(([name, value]) => {
    const isTime = name.toLowerCase() === HEADER.timestamp && isRecordTime(Number(value));
    return [name, isTime ? `${value} (${timeText(Number(value))})` : value];
  });
}

function asJson(letter: StoredLetter, contents: Contents): object {
  const { record, stage, reason, message, source, redriven, firstSeen } = letter;
  return {
    partition: record.partition,
    offset: String(record.offset),
    written: isoTime(record.timestamp),
    first_seen: firstSeen,
    stage,
    reason,
    message,
    source: source === undefined ? null : { ...source, offset: String(source.offset) },
    redriven,
    key: record.key == null ? null : { text: keyText(record.key), base64: record.key.toString('base64') },
    headers: Object.fromEntries(headersOf(letter)),
    value: {
      bytes: contents.bytes,
      encoding: contents.encoding ?? null,
      series: contents.series.map(({ labels, samples, exemplars, histograms }) => ({
        labels: Object.fromEntries(labels.map(({ name, value }) => [name, value])),
        // JSON has no NaN or infinities.
        samples: samples.map(({ value, timestamp }) => [
          timestamp,
          Number.isFinite(value) ? value : String(value),
        ]),
        exemplars,
        histograms,
      })),
      rejects: contents.rejects,
      fault: contents.fault ?? null,
      base64: record.value?.toString('base64') ?? null,
    },
  };
}

function formatLetter(topic: string, letter: StoredLetter, contents: Contents): string {
  const { record, stage, reason, message } = letter;
  const lines = [
    `${topic} ${record.partition}:${record.offset}, written ${isoTime(record.timestamp)}`,
    printable(`${stage}: ${reason}: ${message}`),
    ...(record.key == null ? [] : [formatKey(record.key)]),
    '',
    formatTable([['HEADER', 'VALUE'], ...headerRows(letter)]),
    '',
    `value: ${contents.bytes} bytes${contents.encoding === undefined ? '' : `, as ${contents.encoding}`}`,
    ...contents.series.flatMap(seriesLines),
    ...(contents.more > 0 ? [`… and ${contents.more} series more; --json shows them all`] : []),
    ...contents.rejects.map((text) => `cannot be used: ${printable(text)}`),
    ...(contents.fault === undefined ? [] : [`decoding ended: ${printable(contents.fault)}`]),
  ];
  const decoded = contents.fault === undefined && contents.series.length > 0;
  if (!decoded && record.value !== null)
    lines.push(...(textLines(record.value) ?? hexDump(record.value, DUMPED_BYTES)));
  return `${lines.join('\n')}\n`;
}

/** The key as text; null if it is not UTF-8. */
function keyText(key: Buffer): string | null {
  return isUtf8(key) ? key.toString() : null;
}

function formatKey(key: Buffer): string {
  const text = keyText(key);
  return `key: ${text === null ? `0x${key.toString('hex')}` : quoted(text)}`;
}

function seriesLines({ labels, samples, exemplars, histograms }: ShownSeries): string[] {
  const text = labels.map(({ name, value }) => `${printable(name)}=${quoted(value)}`).join(', ');
  const shown = samples.slice(0, SHOWN_SAMPLES);
  const others = [
    ...(samples.length > shown.length ? [`${samples.length - shown.length} samples`] : []),
    ...(exemplars > 0 ? [`${exemplars} exemplars`] : []),
    ...(histograms > 0 ? [`${histograms} native histograms`] : []),
  ];
  return [
    `{${text}}`,
    ...shown.map(({ value, timestamp }) => `  ${value} @ ${timeText(timestamp)}`),
    ...(others.length > 0 ? [`  and ${others.join(', ')}`] : []),
  ];
}

/** Lines of a value that is text, such as JSON; undefined if it is not text. */
function textLines(value: Buffer): string[] | undefined {
  if (value.length === 0 || !isUtf8(value)) return undefined;
  const text = value.toString();
  if (CONTROL.test(text)) return undefined;
  const shown = text.slice(0, SHOWN_TEXT);
  const more = text.length - shown.length;
  return [
    ...shown
      .trimEnd()
      .split(/\r?\n/)
      .map((line) => `  ${printable(line)}`),
    ...(more > 0 ? [`… and ${more} characters more; --raw gives them all`] : []),
  ];
}

/** RFC 3339; the plain number for times outside the range of Date. */
function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}

/**
 * Source of a single schema, fetched once, for a command that shows one record. If the registry refuses or does not
 * answer, using the schema throws that as a PoisonError. Undefined if no registry is configured.
 *
 * @throws ConfigError when a certificate or key file cannot be used
 */
async function oneSchema(options: RegistryOptions, id: SchemaId): Promise<SchemaSource | undefined> {
  const { url } = options;
  if (url === undefined) return undefined;
  const client = new RegistryClient({ ...options, url });
  try {
    const schema: WriterSchema = await client.fetch(id);
    return { schema: () => schema };
  } catch (error) {
    if (!(error instanceof PoisonError) && !(error instanceof RetryableError)) throw error;
    const fault = new PoisonError('decode', 'schema_id', errorMessage(error), { cause: error });
    return {
      schema() {
        throw fault;
      },
    };
  } finally {
    await client.close();
  }
}

const ROW = 16;

/** Bytes as lines of offset, hexadecimal and text, at most `most` bytes of them. */
function hexDump(bytes: Uint8Array, most: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, most); at += ROW) {
    const row = [...bytes.subarray(at, Math.min(at + ROW, most))];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0'));
    const halves = [hex.slice(0, 8).join(' ').padEnd(23), hex.slice(8).join(' ').padEnd(23)].join('  ');
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${halves}  ${text}`);
  }
  if (bytes.length > most) lines.push(`… ${bytes.length - most} bytes more; --raw writes them all`);
  return lines;
}
