/** Kafka's own consumer, through its console tool: independent of kafkajs and of our patches to it. */
import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { cached } from '../cache.ts';
import { dockerAnswers } from './docker.ts';
import { javaArguments, KAFKA_VERSION, kafkaJars, QUICK_JAVA } from './kafka-distribution.ts';

export interface ConsoleRead {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly isolation: 'read_committed' | 'read_uncommitted';
  /** The tool ends after this long without a record, its start included. Default: 20 s. */
  readonly idleMs?: number;
}

/** Values without null; `offset` in decimal. */
export interface ConsoleRecord {
  readonly partition: number;
  readonly offset: string;
  readonly value: Buffer;
}

const MAIN_CLASS = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const HEAP_MB = 256;
const USUAL_IDLE_MS = 20_000;
/** Separator of records: long, since values are any bytes and must not contain it by chance. */
const END_OF_RECORD = '\n--end of a record of the console consumer--\n';
const RECORD = /^Partition:(\d+)\tOffset:(\d+)\t/;

/**
 * Reads a topic from its beginning until nothing more comes, record by record.
 *
 * @throws Error when the tool cannot be run, or prints something that is no record
 */
export async function consoleRead(
  { brokers, topic, isolation, idleMs = USUAL_IDLE_MS }: ConsoleRead,
  visit: (record: ConsoleRecord) => void,
): Promise<void> {
  const [command, ...first] = await consoleConsumer();
  const properties = {
    'print.partition': 'true',
    'print.offset': 'true',
    'line.separator': END_OF_RECORD,
    // One character per byte; the tool writes them as UTF-8.
    'value.deserializer': 'org.apache.kafka.common.serialization.StringDeserializer',
    'value.deserializer.deserializer.encoding': 'ISO-8859-1',
  };
  const child = spawn(
    command!,
    [
      ...first,
      ...['--bootstrap-server', brokers.join(','), '--topic', topic, '--from-beginning'],
      ...['--isolation-level', isolation, '--timeout-ms', String(idleMs)],
      ...Object.entries(properties).flatMap(([name, value]) => ['--property', `${name}=${value}`]),
    ],
    // The log of our jars goes to standard output, where the records are.
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PENSTOCK_TEST_KAFKA_LOG: 'OFF' } },
  );
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const exit = new Promise<number | null>((resolve, reject) =>
    child.on('error', reject).on('close', resolve),
  );
  let rest = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    const records = (rest + (text as string)).split(END_OF_RECORD);
    rest = records.pop()!;
    for (const record of records) visit(parse(record));
  }
  const code = await exit;
  const read = /Processed a total of \d+ messages/.test(errors);
  if (!read || rest !== '') throw new Error(`Kafka's console consumer, exit code ${code}: ${errors}${rest}`);
}

function parse(record: string): ConsoleRecord {
  const [start = '', partition, offset] = RECORD.exec(record) ?? [];
  if (partition === undefined || offset === undefined)
    throw new Error(`Kafka's console consumer said ${JSON.stringify(record.slice(0, 200))}`);
  return {
    partition: Number(partition),
    offset,
    value: Buffer.from(record.slice(start.length), 'latin1'),
  };
}

/** The command of the tool, from the same source as the test brokers. */
async function consoleConsumer(): Promise<string[]> {
  if (dockerAnswers()) {
    const tool = '/opt/kafka/bin/kafka-console-consumer.sh';
    return ['docker', 'run', '--rm', '--network', 'host', `apache/kafka:${KAFKA_VERSION}`, tool];
  }
  const [jars, tools] = await Promise.all([kafkaJars(), toolsJar()]);
  return ['java', ...QUICK_JAVA, ...javaArguments(jars, HEAP_MB, MAIN_CLASS, [], [path.join(tools, '*')])];
}

/** The folder with the jar of Kafka's tools, fetched by Maven when it is not in the cache (0.6 MB). */
function toolsJar(): Promise<string> {
  return cached(`kafka-${KAFKA_VERSION}-tools`, async (folder) => {
    const artifact = `-Dartifact=org.apache.kafka:kafka-tools:${KAFKA_VERSION}`;
    await promisify(execFile)('mvn', [
      '-q',
      '-B',
      'dependency:copy',
      artifact,
      `-DoutputDirectory=${folder}`,
    ]);
  });
}
