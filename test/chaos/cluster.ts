import { drainGroupId } from '../../src/services/drain/assignment.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { type Servers, startServers } from '../lab/deployment/metrics-stack.ts';
import { type ReadRecord, visitTopic } from '../lab/deployment/read-topic.ts';
import { freePorts } from '../lab/ports.ts';
import { poll } from '../lab/process.ts';
import type { KafkaCluster } from '../lab/servers/kafka.ts';
import type { VictoriaMetrics, Vmagent } from '../lab/servers/victoriametrics.ts';
import { type DrainAccount, REQUEST_TIMEOUT_MS } from './causes.ts';
import { Gate } from './gate.ts';
import { Slot } from './slot.ts';
import { MOST_RAW_PARTITIONS, ownersOf, RAW_PARTITIONS, ROUTE } from './truth.ts';

/** A vmagent, the gate in front of it, and the one between it and storage. */
export interface ChaosNode {
  readonly name: string;
  readonly agent: Vmagent;
  readonly gate: Gate;
  readonly storageGate: Gate;
}

const NODES = ['vmagent-0', 'vmagent-1', 'vmagent-2', 'vmagent-3'];
/** Number of configured nodes while the last one is not. */
const FEWER_NODES = 3;
/** Drains and their nodes. */
const DRAINS = { 'drain-0a': 0, 'drain-0b': 0, 'drain-1': 1, 'drain-2': 2, 'drain-3': 3 } as const;
export const DRAIN_NAMES = Object.keys(DRAINS);
/** Drain of the node that comes and goes. */
const SPARE_DRAIN = 'drain-3';
const WORKERS = ['worker-0', 'worker-1', 'worker-2', 'worker-3'];
/** Started when workers are scaled out. */
export const SPARE_WORKER = 'worker-3';

/** A rule that changes nothing: no series has the label. */
const IDLE_RULE = { action: 'drop', source_labels: ['chaos_absent'], regex: '.+' };

/** Three runs at once on two cores must not spoil each other. */
const START_TIMEOUT_MS = 600_000;
const READ_TIMEOUT_MS = 10 * 60_000;

/** The whole deployment: three brokers, workers, drains, vmagents behind gates, and storage. All real processes. */
export class ChaosCluster {
  readonly kafka: KafkaCluster;
  readonly storage: VictoriaMetrics;
  readonly nodes: readonly ChaosNode[];
  readonly penstock: Deployment;
  readonly slots: ReadonlyMap<string, Slot>;
  readonly tasks: string;
  readonly #servers: Servers;
  /** Number of configured nodes. */
  #configured = FEWER_NODES;
  #hasIdleRule = false;
  /** By number of nodes, the owner of each task. */
  readonly #owners: ReadonlyMap<number, readonly string[]>;

  private constructor(
    servers: Servers,
    nodes: readonly ChaosNode[],
    penstock: Deployment,
    slots: ReadonlyMap<string, Slot>,
  ) {
    this.kafka = servers.kafka;
    this.storage = servers.storage;
    this.#servers = servers;
    this.nodes = nodes;
    this.penstock = penstock;
    this.slots = slots;
    this.tasks = penstock.topic(ROUTE.name);
    this.#owners = new Map(
      [FEWER_NODES, NODES.length].map((count) => [count, ownersOf(this.tasks, NODES.slice(0, count))]),
    );
  }

  static async start(): Promise<ChaosCluster> {
    const storageGates = new Map<string, Gate>();
    const servers = await startServers({
      kafka: { brokers: 3, own: true, name: 'chaos-kafka', startTimeoutMs: START_TIMEOUT_MS },
      nodes: NODES,
      vmagent: async (name, { remoteWriteUrl }) => {
        const gate = await Gate.open(remoteWriteUrl);
        storageGates.set(name, gate);
        return {
          remoteWriteUrl: `${gate.url}${new URL(remoteWriteUrl).pathname}`,
          labels: { vmagent: name },
        };
      },
    });
    const { kafka } = servers;
    const nodes = await Promise.all(
      NODES.map(async (name, at): Promise<ChaosNode> => {
        const agent = servers.agents[at]!;
        return { name, agent, gate: await Gate.open(agent.url), storageGate: storageGates.get(name)! };
      }),
    );
    const penstock = await Deployment.create({
      brokers: kafka.brokers,
      rawPartitions: RAW_PARTITIONS,
      replicas: 3,
      routes: [ROUTE],
      nodes: configured(nodes, FEWER_NODES),
      // The clock of a worker may be an hour behind: samples are then an hour ahead of it.
      // Steps of 500 ms leave room on two cores for three runs at once.
      worker: { limits: { max_future: '2h' }, commit_interval: '500ms' },
      drain: { request_timeout: `${REQUEST_TIMEOUT_MS}ms`, backoff_max: '2s' },
    });
    const slots = await createSlots(penstock.configFile);
    const cluster = new ChaosCluster(servers, nodes, penstock, slots);
    const first = [...slots.values()].filter(({ name }) => name !== SPARE_WORKER && name !== SPARE_DRAIN);
    for (const slot of first) slot.start();
    const ready = await Promise.all(first.map((slot) => slot.ready(START_TIMEOUT_MS)));
    if (!ready.every(Boolean)) {
      await cluster.close();
      throw new Error(`not every process was ready after ${START_TIMEOUT_MS / 1000} s`);
    }
    return cluster;
  }

  slot(name: string): Slot {
    return this.slots.get(name)!;
  }

  node(name: string): ChaosNode {
    return this.nodes.find((node) => node.name === name)!;
  }

  /** Owners of a task by hash 2, without and with the node that comes and goes. */
  owners(task: number): string[] {
    return [...new Set([...this.#owners.values()].map((owners) => owners[task]!))];
  }

  #owner(task: number): string {
    return this.#owners.get(this.#configured)![task]!;
  }

  /** Reloads other rules in every process that has joined. Resolves to whether there were any. */
  async reload(): Promise<boolean> {
    this.#hasIdleRule = !this.#hasIdleRule;
    this.#configure();
    return [...this.slots.values()].filter((slot) => slot.reload()).length > 0;
  }

  /**
   * Adds or removes the last node, as in docs/guides/nodes.md: the new drain first, then the others one by one; or the
   * others first, then the drain that goes. Resolves to whether one of the others took part.
   */
  async changeNodes(): Promise<boolean> {
    const isAdded = this.#configured === FEWER_NODES;
    this.#configured = isAdded ? NODES.length : FEWER_NODES;
    this.#configure();
    const spare = this.slot(SPARE_DRAIN);
    if (isAdded) spare.start();
    let met = false;
    for (const name of DRAIN_NAMES.filter((each) => each !== SPARE_DRAIN)) {
      const slot = this.slot(name);
      met ||= slot.joined;
      await slot.stop();
      slot.start();
      await slot.ready();
    }
    if (!isAdded) await spare.stop();
    return met;
  }

  #configure(): void {
    const relabel = [...ROUTE.relabel, ...(this.#hasIdleRule ? [IDLE_RULE] : [])];
    this.penstock.reconfigure({
      routes: [{ ...ROUTE, relabel, topic: this.tasks }],
      nodes: configured(this.nodes, this.#configured),
    });
  }

  /**
   * Adds a partition to the ingest topic, while brokers come and go: a request may fail, or be carried out and not answered.
   * Resolves to its number; to undefined when there are enough.
   */
  async growIngestTopic(): Promise<number | undefined> {
    const { admin, raw } = this.penstock;
    let added: number | undefined;
    let last: unknown;
    const grow = async (): Promise<boolean> => {
      const count = (await admin.partitionCounts([raw])).get(raw)!;
      added ??= count;
      if (added >= MOST_RAW_PARTITIONS || count > added) return true;
      const client = await admin.client();
      await client.createPartitions({ topicPartitions: [{ topic: raw, count: added + 1 }] });
      return true;
    };
    const grown = () =>
      grow().catch((error: unknown) => {
        last = error;
        return false;
      });
    await poll(grown, { timeoutMs: 60_000 }, () => new Error(`${raw} does not grow: ${last}`));
    return added! >= MOST_RAW_PARTITIONS ? undefined : added;
  }

  /** Accounts of the drains of a node so far. */
  drainsOf(node: string): DrainAccount[] {
    const slots = [...this.slots.values()].filter(({ name }) => name in DRAINS);
    return slots
      .filter(({ name }) => NODES[DRAINS[name as keyof typeof DRAINS]] === node)
      .map((slot) => slot.account());
  }

  /** Records that wait for workers and for drains, the latter also by node. */
  async lag(): Promise<{ workers: number; drains: number; nodes: number[] }> {
    const { penstock, tasks } = this;
    const [workers, ...drains] = await Promise.all([
      penstock.lag(penstock.group, penstock.raw),
      ...NODES.map((node) =>
        penstock.lag(drainGroupId(tasks, node), tasks, (task) => this.#owner(task) === node),
      ),
    ]);
    const nodes = drains.map(Number);
    return { workers: Number(workers), drains: nodes.reduce((sum, lag) => sum + lag, 0), nodes };
  }

  /** Reads the task topic as the product reads: its reader is under test too. */
  readTasks(visit: (record: ReadRecord) => void): Promise<void> {
    const { connection, admin } = this.penstock;
    return visitTopic(connection, admin, this.tasks, visit, READ_TIMEOUT_MS);
  }

  /** Whether all replicas of every partition are in sync: only then may another broker go down. */
  async replicasInSync(): Promise<boolean> {
    const admin = await this.penstock.admin.client();
    const topics = [this.penstock.raw, this.tasks, '__consumer_offsets', '__transaction_state'];
    const metadata = await admin.fetchTopicMetadata({ topics });
    return metadata.topics.every(({ partitions }) =>
      partitions.every(({ isr, replicas }) => isr.length === replicas.length),
    );
  }

  /** Stops all workers, then all drains, when nothing is left to do. Resolves to the unclean ends. */
  async stopAll(): Promise<string[]> {
    const stop = async (slot: Slot) => {
      const exit = await slot.stop();
      if (exit === undefined || exit.code === 0) return [];
      return [
        `${slot.name} was stopped at rest: ${exit.signal ?? `exit code ${exit.code}`}, ${slot.logFile}`,
      ];
    };
    const slots = [...this.slots.values()];
    const workers = slots.filter(({ name }) => WORKERS.includes(name));
    const drains = slots.filter(({ name }) => name in DRAINS);
    const problems = [...(await Promise.all(workers.map(stop))), ...(await Promise.all(drains.map(stop)))];
    return problems.flat();
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.slots.values()].map((slot) => slot.kill()));
    for (const { gate, storageGate } of this.nodes) for (const each of [gate, storageGate]) each.close();
    await this.penstock.close();
    await this.#servers.close();
  }
}

function configured(nodes: readonly ChaosNode[], count: number): { name: string; url: string }[] {
  return nodes.slice(0, count).map(({ name, gate }) => ({ name, url: gate.url }));
}

async function createSlots(configFile: string): Promise<Map<string, Slot>> {
  const drains = Object.entries(DRAINS).map(([name, node]) => ({ name, node: NODES[node]! }));
  const ports = await freePorts(WORKERS.length + drains.length);
  const slots = [
    ...WORKERS.map((name) => new Slot({ name, command: 'worker', configFile, adminPort: ports.pop()! })),
    ...drains.map(
      ({ name, node }) =>
        new Slot({
          name,
          command: 'drain',
          configFile,
          adminPort: ports.pop()!,
          env: { PENSTOCK_DRAIN_NODE: node },
        }),
    ),
  ];
  return new Map(slots.map((slot) => [slot.name, slot]));
}
