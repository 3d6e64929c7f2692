/**
 * A real Kafka for tests, from the first of these that is available: the cluster that
 * `PENSTOCK_TEST_BROKERS` names, a docker daemon, Java with Maven.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createRunFolder, RUN, removeRunFolder } from '../cache.ts';
import { freePorts } from '../ports.ts';
import { ManagedProcess, START_TIMEOUT_MS } from '../process.ts';
import { ContainerProcess, dockerAnswers } from './docker.ts';
import { classArchive } from './kafka-classes.ts';
import {
  CLUSTER_ID,
  formatPropertyFile,
  formatStorage,
  javaArguments,
  javaProblem,
  KAFKA_VERSION,
  kafkaJars,
  QUICK_JAVA,
} from './kafka-distribution.ts';
import { liveBrokers } from './kafka-probe.ts';
import { brokerProperties, type Listener, type NodePorts } from './kafka-properties.ts';

/** One broker, which is also a controller. Controls resolve when they have taken effect. */
export interface KafkaNode {
  /** Process id of the running broker. */
  readonly pid: number;
  /** Folder of its logs, with a folder for each partition; undefined in a container. */
  readonly logDir: string | undefined;
  /** Clean shutdown: SIGTERM. */
  stop(): Promise<void>;
  /** SIGKILL, as when the machine goes down. */
  kill(): Promise<void>;
  /** Starts it again with its data and on its port, and waits until the cluster counts it as live. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

export interface KafkaCluster {
  /** `host:port` of each broker. */
  brokers: string[];
  /** Origin, for the first lines of a test run. */
  source: string;
  /** The broker with index `index`, from 0. Throws for a cluster that this process did not start. */
  node(index: number): KafkaNode;
  /** Ends the brokers and deletes their data. A cluster that this process did not start stays as it is. */
  close(): Promise<void>;
}

export interface KafkaOptions {
  brokers?: 1 | 3;
  /** Broker settings over those of `brokerProperties`. */
  properties?: Record<string, string>;
  /** More listeners, for a cluster of one broker. */
  listeners?: readonly Listener[];
  /** System properties of the broker's Java. */
  systemProperties?: Record<string, string>;
  /**
   * Lets Java optimize the broker, which pays off with millions of samples. In a short test it would take a third of
   * the CPU time.
   */
  optimized?: boolean;
  /** For folder names and error messages. */
  name?: string;
  /** Start one even when `PENSTOCK_TEST_BROKERS` names a cluster: for tests that stop and kill nodes. */
  own?: boolean;
  /** Most time for a broker to come up, in ms. Default 180,000. */
  startTimeoutMs?: number;
}

/** Starts a cluster and waits until every broker is live. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const shared = process.env.PENSTOCK_TEST_BROKERS;
  const special = options.own === true || options.properties !== undefined || options.brokers === 3;
  if (shared && !special) return sharedCluster(shared.split(','));
  const count = options.brokers ?? 1;
  const folder = createRunFolder(options.name ?? 'kafka');
  const ports = await freePorts(2 * count);
  const nodePorts = Array.from({ length: count }, (_, i) => ({
    client: ports[2 * i]!,
    controller: ports[2 * i + 1]!,
  }));
  const launch = dockerAnswers() ? inDocker : await fromJars(count);
  const nodes = nodePorts.map((_, i) => new ClusterNode(i + 1, nodePorts, folder, options, launch));
  const close = async () => {
    await Promise.all(nodes.map((node) => node.end()));
    removeRunFolder(folder);
  };
  try {
    await Promise.all(nodes.map((node) => node.launch()));
    await Promise.all(nodes.map((node) => node.waitForCluster()));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    brokers: nodePorts.map((node) => `127.0.0.1:${node.client}`),
    source: dockerAnswers()
      ? `docker image apache/kafka:${KAFKA_VERSION}`
      : `Kafka ${KAFKA_VERSION} on this machine's Java`,
    node: (index) => {
      const node = nodes[index];
      if (node === undefined) throw new Error(`the cluster has brokers 0 to ${count - 1}, not ${index}`);
      return node;
    },
    close,
  };
}

function sharedCluster(brokers: string[]): KafkaCluster {
  return {
    brokers,
    source: `PENSTOCK_TEST_BROKERS=${brokers.join(',')}`,
    node() {
      throw new Error(
        'this cluster is shared (PENSTOCK_TEST_BROKERS): use startKafka({ own: true }) to control nodes',
      );
    },
    async close() {},
  };
}

/** Everything needed to start one broker. */
interface Launch {
  nodeId: number;
  name: string;
  properties: Record<string, string>;
  javaFlags: readonly string[];
  /** The node's own folder. */
  folder: string;
  logDir: string;
  logFile: string;
}

/** Starts a broker; `previous` is its former process, if it is a restart. */
type Launcher = (launch: Launch, previous: ManagedProcess | undefined) => Promise<ManagedProcess>;

async function fromJars(count: number): Promise<Launcher> {
  const problem = javaProblem();
  if (problem !== undefined) {
    throw new Error(
      `no Kafka to test with: PENSTOCK_TEST_BROKERS is not set, no docker daemon answers, and ${problem}`,
    );
  }
  const jars = await kafkaJars();
  const archive = `-XX:SharedArchiveFile=${await classArchive(jars)}`;
  const heapMb = count === 1 ? 512 : 320;
  return async ({ nodeId, name, properties, javaFlags, folder, logDir, logFile }) => {
    await formatStorage(jars, logDir, nodeId);
    const file = path.join(folder, 'server.properties');
    writeFileSync(file, formatPropertyFile(properties));
    return new ManagedProcess({
      name,
      command: 'java',
      args: [archive, ...javaFlags, ...javaArguments(jars, heapMb, 'kafka.Kafka', [file])],
      logFile,
    });
  };
}

/** The image formats its own storage and takes each setting from a variable named after it. */
const inDocker: Launcher = async ({ name, properties, javaFlags, folder, logFile }, previous) => {
  const settings = { ...properties, 'log.dirs': '/tmp/kafka-logs' };
  const variable = (key: string) =>
    `KAFKA_${key.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`;
  const env = Object.fromEntries(Object.entries(settings).map(([key, value]) => [variable(key), value]));
  return new ContainerProcess({
    name,
    container: `penstock-${path.relative(RUN, folder).replace(/\W+/g, '-')}`,
    again: previous !== undefined,
    image: `apache/kafka:${KAFKA_VERSION}`,
    args: [],
    env: {
      CLUSTER_ID,
      KAFKA_HEAP_OPTS: '-Xmx512m',
      KAFKA_OPTS: javaFlags.join(' '),
      ...env,
    },
    folders: [],
    logFile,
  });
};

class ClusterNode implements KafkaNode {
  readonly #launch: Launch;
  readonly #launcher: Launcher;
  readonly #ports: NodePorts[];
  readonly #startTimeoutMs: number;
  #process: ManagedProcess | undefined;

  constructor(
    nodeId: number,
    ports: NodePorts[],
    clusterFolder: string,
    {
      properties = {},
      startTimeoutMs = START_TIMEOUT_MS,
      listeners = [],
      systemProperties = {},
      optimized = false,
    }: KafkaOptions,
    launcher: Launcher,
  ) {
    const folder = path.join(clusterFolder, `node-${nodeId}`);
    const logDir = path.join(folder, 'data');
    mkdirSync(folder, { recursive: true });
    this.#launch = {
      nodeId,
      name: `Kafka broker ${nodeId}`,
      properties: brokerProperties(nodeId, ports, logDir, properties, listeners),
      javaFlags: [
        ...(optimized ? [] : QUICK_JAVA),
        ...Object.entries(systemProperties).map(([name, value]) => `-D${name}=${value}`),
      ],
      folder,
      logDir,
      logFile: path.join(folder, 'broker.log'),
    };
    this.#launcher = launcher;
    this.#ports = ports;
    this.#startTimeoutMs = startTimeoutMs;
  }

  get pid(): number {
    return this.#running.pid;
  }

  get logDir(): string | undefined {
    return this.#launcher === inDocker ? undefined : this.#launch.logDir;
  }

  get #running(): ManagedProcess {
    if (this.#process === undefined) throw new Error(`${this.#launch.name} was never started`);
    return this.#process;
  }

  /** Starts the process without waiting for the broker. */
  async launch(): Promise<void> {
    this.#process = await this.#launcher(this.#launch, this.#process);
  }

  /** Waits until this broker sees every live broker of a whole cluster. */
  waitForCluster(): Promise<void> {
    return this.#waitUntilLive(
      `all ${this.#ports.length} brokers are live`,
      (ids) => ids.length === this.#ports.length,
    );
  }

  async start(): Promise<void> {
    if (this.#process?.exit === undefined) throw new Error(`${this.#launch.name} runs already`);
    await this.launch();
    await this.#waitUntilLive('it is live', (ids) => ids.includes(this.#launch.nodeId));
  }

  async stop(): Promise<void> {
    await this.#running.stop();
  }

  async kill(): Promise<void> {
    await this.#running.kill();
  }

  pause(): void {
    this.#running.pause();
  }

  resume(): void {
    this.#running.resume();
  }

  /** Ends it for good. A test's data needs no clean shutdown. */
  async end(): Promise<void> {
    await this.#process?.discard();
  }

  #waitUntilLive(what: string, enough: (ids: number[]) => boolean): Promise<void> {
    const port = this.#ports[this.#launch.nodeId - 1]!.client;
    return this.#running.waitUntil(what, async () => enough(await liveBrokers(port)), {
      timeoutMs: this.#startTimeoutMs,
    });
  }
}
