import { existsSync, readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { DecoderRegistry } from '../../core/decode/registry.ts';
import { topicDecoders } from '../../core/decode/topic-decoders.ts';
import { errorMessage, PoisonError, RetryableError } from '../../core/model/errors.ts';
import { expectedName } from '../../core/model/nearest.ts';
import { printable, printableLines } from '../../core/model/printable.ts';
import type { SourceRecord } from '../../core/model/records.ts';
import { NOTHING_LEFT, RecordReading } from '../../core/pipeline/read-record.ts';
import type { RecordHeaders } from '../../core/record/headers.ts';
import { RegistryClient } from '../../io/registry/client.ts';
import { SchemaStore } from '../../io/registry/store.ts';
import { epochMs } from '../../io/time/clock.ts';
import { INGEST_ENCODINGS } from '../../services/worker/encoding-options.ts';
import { type IngestTopic, ingestTopics } from '../../services/worker/options.ts';
import { type Config, loadConfig, parseConfig } from '../config/load.ts';
import { DONE, FAILED, parseCommand, usageError } from './command.ts';
import { type DecodeOutput, JsonOutput, TextOutput } from './decode-output.ts';
import { joinDashed } from './option-values.ts';

const HELP = `
penstock decode [-c FILE] [OPTIONS] FILE|-

Shows how a worker would read a record, without Kafka: its encoding, the series with their samples, and what
cannot be used with the reasons, up to where routing begins. FILE holds the value of the record, as it is in
Kafka; - is standard input. Only for Confluent's records is the schema registry asked (registry.url).

  --topic TOPIC         the ingest topic whose encoding and options hold (default: the first one)
  --encoding ENCODING   instead of the topic's; it holds for records that do not name theirs
  --header NAME=VALUE   a header of the record; may be repeated. NAME without = is a header that is null
  --timestamp MS        the record's time, in ms since the epoch; -1 is none (default: now)

A worker puts the rejected series of a record that have one reason into one dead letter, so there may be fewer dead
letters than rejects.

Exit code 0: all of it can be used. 1: something was rejected, or the schema registry does not answer.
`;

const JSON_HELP = `a line for each series, {"labels":{…},"samples":[[MS,"VALUE"],…]}, and one for each
                      reject, {"reject":{"reason":…,"message":…}}`;

const OPTIONS = {
  topic: { type: 'string' },
  encoding: { type: 'string' },
  header: { type: 'string', multiple: true },
  timestamp: { type: 'string' },
} as const;

/** Default path of the configuration; the file may be missing. */
const USUAL_CONFIG = 'config/penstock.yml';

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(joinDashed(argv, ['--timestamp']), {
    name: 'decode',
    help: HELP,
    jsonHelp: JSON_HELP,
    options: OPTIONS,
    positionals: { min: 1, max: 1 },
  });
  if (command === undefined) return DONE;
  const { values, json } = command;
  const nowMs = epochMs();
  const headers = recordHeaders(values.header ?? []);
  const timestamp = values.timestamp === undefined ? nowMs : recordTimestamp(values.timestamp);
  const config = configuration(command.configFile, values.config !== undefined);
  const topic = chosenTopic(config, values.topic, values.encoding);
  const [file = ''] = command.positionals;
  const record: SourceRecord = {
    value: await contentOf(file),
    headers,
    timestamp,
    topic: topic.topic,
    partition: 0,
    offset: 0n,
  };

  let decoders: DecoderRegistry;
  try {
    decoders = await decodersFor(record, topic, config);
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    process.stderr.write(`penstock decode: ${printable(errorMessage(error))}; a worker would wait for it\n`);
    return FAILED;
  }
  const write = (text: string) => void process.stdout.write(text);
  const output = json ? new JsonOutput(write) : new TextOutput(write);
  const source = `${file === '-' ? 'standard input' : file}, ${record.value?.length ?? 0} bytes`;
  show(record, decoders, config, nowMs, source, output);
  return output.rejects > 0 ? FAILED : DONE;
}

function show(
  record: SourceRecord,
  decoders: DecoderRegistry,
  { worker: { limits, tenant_headers } }: Config,
  nowMs: number,
  source: string,
  output: DecodeOutput,
): void {
  let left = NOTHING_LEFT;
  try {
    output.begin?.(source, encodingOf(record, decoders, limits));
    left = new RecordReading(decoders, limits, nowMs, tenant_headers).read(record, output);
  } catch (error) {
    // A defect in Penstock: a worker sets such a record aside too, and logs the stack once.
    output.reject('defect', errorMessage(error));
    process.stderr.write(`${printableLines(String(error instanceof Error ? error.stack : error))}\n`);
  }
  output.end(left);
}

function encodingOf(
  { value, headers }: SourceRecord,
  decoders: DecoderRegistry,
  limits: Config['worker']['limits'],
): string | undefined {
  if (value === null || value.length === 0) return undefined;
  try {
    return decoders.encodingOf(value, { headers, limits });
  } catch (error) {
    if (error instanceof PoisonError) return undefined;
    throw error;
  }
}

/** The last header of a name wins, as in Kafka. No prototype, since a header may be named `__proto__`. */
function recordHeaders(given: readonly string[]): RecordHeaders {
  const headers: Record<string, Buffer | null> = Object.create(null);
  for (const text of given) {
    const equals = text.indexOf('=');
    if (equals < 0) headers[text] = null;
    else headers[text.slice(0, equals)] = Buffer.from(text.slice(equals + 1));
  }
  return headers;
}

function recordTimestamp(text: string): number {
  if (/^-?\d{1,19}$/.test(text)) return Number(text);
  throw usageError('decode', `--timestamp ${text}: expected milliseconds since the epoch, or -1 for none`);
}

/** The named configuration; else the default file, if it exists; else all defaults. */
function configuration(file: string, isNamed: boolean): Config {
  const { env } = process;
  if (isNamed || env.PENSTOCK_CONFIG || existsSync(USUAL_CONFIG)) return loadConfig({ file, env });
  return parseConfig('', 'the default configuration', env, (path) => readFileSync(path, 'utf8'));
}

function chosenTopic(config: Config, name: string | undefined, encoding: string | undefined) {
  const topics = ingestTopics(config.worker);
  const topic = name === undefined ? topics[0] : topics.find((each) => each.topic === name);
  if (topic === undefined) {
    const names = topics.map((each) => each.topic);
    throw usageError('decode', `--topic ${name}: not an ingest topic; ${expectedName(name!, names)}`);
  }
  if (encoding === undefined) return topic;
  const known = INGEST_ENCODINGS.find((each) => each === encoding);
  if (known !== undefined) return { ...topic, encoding: known };
  throw usageError('decode', `--encoding ${encoding}: ${expectedName(encoding, INGEST_ENCODINGS)}`);
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    return file === '-' ? await buffer(process.stdin) : readFileSync(file);
  } catch (error) {
    throw usageError('decode', `${file} cannot be read: ${errorMessage(error)}; expected a file, or -`);
  }
}

/**
 * The decoders of a topic with the schema that one record needs, fetched as a worker does.
 *
 * @throws RetryableError if the registry does not answer
 * @throws ConfigError when a certificate or key file cannot be used
 */
async function decodersFor(
  { value, headers }: SourceRecord,
  topic: IngestTopic,
  { worker: { limits }, registry }: Config,
): Promise<DecoderRegistry> {
  const plain = topicDecoders([topic])(topic.topic);
  const id = value === null ? undefined : plain.schemaId(value, { headers, limits });
  const { url } = registry;
  if (id === undefined || url === undefined) return plain;
  const client = new RegistryClient({ ...registry, url });
  try {
    const schemas = new SchemaStore((each) => client.fetch(each), { missingTtlMs: registry.missing_ttl });
    await schemas.ensure([id]);
    return topicDecoders([{ ...topic, schemas }])(topic.topic);
  } finally {
    await client.close();
  }
}
