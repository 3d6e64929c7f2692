/** Apache Kafka's jars from Maven, and storage folders for its brokers. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { cached } from '../cache.ts';
import { succeeds } from '../process.ts';

const run = promisify(execFile);
/** Most time for a command that prints its version, on a busy machine. */
const BUSY_MS = 60_000;

/** The version that tests run against, from Maven and from docker alike; `PENSTOCK_TEST_KAFKA` names another one. */
export const KAFKA_VERSION = process.env.PENSTOCK_TEST_KAFKA ?? '4.1.2';

/** Backend for slf4j 1.7, through which Kafka logs. The version is that of Kafka's own log4j-core. */
const LOG4J_VERSION = '2.25.3';

/** Any value will do; brokers of one cluster share it. */
export const CLUSTER_ID = 'cGVuc3RvY2stdGVzdHMtMQ';

/** Files to which the storage tool writes the initial features of a cluster; from 4.4 on the second one. */
const CHECKPOINTS = [
  'bootstrap.checkpoint',
  path.join('__cluster_metadata-0', '00000000000000000000-0000000000.checkpoint'),
];

/** For short runs: no second compilation of hot code. */
export const QUICK_JAVA = ['-XX:TieredStopAtLevel=1'];
const JVM_FLAGS = ['-XX:+UseSerialGC', '-Xshare:auto', '-XX:-UsePerfData', '-Djava.awt.headless=true'];

/** Why Kafka cannot run from Maven's jars here, or undefined when it can. */
export function javaProblem(): string | undefined {
  if (!succeeds('java', ['-version'], BUSY_MS)) return 'there is no java (17 or newer)';
  return undefined;
}

/** The folder with Kafka's jars, fetched by Maven when it is not in the cache (about 45 MB). */
export function kafkaJars(): Promise<string> {
  return cached(`kafka-${KAFKA_VERSION}`, async (folder) => {
    if (!succeeds('mvn', ['-v'], 30_000)) {
      throw new Error(
        'Kafka is not in .cache/ and there is no Maven to fetch it: install Maven, or set PENSTOCK_TEST_BROKERS',
      );
    }
    writeFileSync(path.join(folder, 'pom.xml'), pom());
    writeFileSync(path.join(folder, 'log4j2.xml'), LOG4J_CONFIG);
    const args = ['-q', '-B', '-f', path.join(folder, 'pom.xml'), 'dependency:copy-dependencies'];
    try {
      await run('mvn', [...args, '-DincludeScope=runtime', `-DoutputDirectory=${path.join(folder, 'lib')}`]);
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`Maven could not fetch Kafka ${KAFKA_VERSION}:\n${stdout}${stderr}`.slice(0, 4000), {
        cause: error,
      });
    }
  });
}

/** The `java` arguments that run a main class of Kafka's; `more` are further places of its classes. */
export function javaArguments(
  jars: string,
  heapMb: number,
  mainClass: string,
  args: string[],
  more: readonly string[] = [],
): string[] {
  const logging = `-Dlog4j2.configurationFile=${path.join(jars, 'log4j2.xml')}`;
  const heap = [`-Xmx${heapMb}m`, `-Xms${Math.min(heapMb, 256)}m`];
  // Without links: an archive of classes is taken only under the path with which it was made.
  const classPath = [path.join(realpathSync(jars), 'lib', '*'), ...more].join(path.delimiter);
  return [...JVM_FLAGS, ...heap, logging, '-cp', classPath, mainClass, ...args];
}

/**
 * Makes `folder` the storage of a broker, as Kafka's own storage tool formats it.
 *
 * A folder that is formatted already stays as it is.
 *
 * The tool's JVM takes a second, so its result is kept: a checkpoint that says which features
 * the cluster starts with, the same for every broker of this version.
 */
export async function formatStorage(jars: string, folder: string, nodeId: number): Promise<void> {
  if (existsSync(path.join(folder, 'meta.properties'))) return;
  const template = await cached(`kafka-${KAFKA_VERSION}-format`, async (draft) => {
    const data = path.join(draft, 'data');
    const file = path.join(draft, 'server.properties');
    writeFileSync(file, formatProperties(data));
    const tool = ['format', '--cluster-id', CLUSTER_ID, '--config', file];
    await run('java', [...QUICK_JAVA, ...javaArguments(jars, 128, 'kafka.tools.StorageTool', tool)]);
  });
  const checkpoint = CHECKPOINTS.find((file) => existsSync(path.join(template, 'data', file)));
  if (checkpoint === undefined)
    throw new Error(`${template} is not a formatted storage: delete it and try again`);
  mkdirSync(path.dirname(path.join(folder, checkpoint)), { recursive: true });
  copyFileSync(path.join(template, 'data', checkpoint), path.join(folder, checkpoint));
  const directoryId = `A${randomBytes(16).toString('base64url').slice(1)}`;
  const meta = { version: 1, 'cluster.id': CLUSTER_ID, 'node.id': nodeId, 'directory.id': directoryId };
  writeFileSync(path.join(folder, 'meta.properties'), formatPropertyFile(meta));
}

/** The text of a Java properties file. */
export function formatPropertyFile(properties: Record<string, string | number>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function formatProperties(data: string): string {
  return formatPropertyFile({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': '1@127.0.0.1:9093',
    listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': data,
  });
}

function pom(): string {
  const dependency = (group: string, artifact: string, version: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>penstock</groupId><artifactId>test-kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', KAFKA_VERSION)}
    ${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', LOG4J_VERSION)}
  </dependencies>
</project>
`;
}

const LOG4J_CONFIG = `<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d{HH:mm:ss.SSS} %p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="\${env:PENSTOCK_TEST_KAFKA_LOG:-WARN}"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`;
