import { drainGroupId, NodeAssignment } from '../../src/drain/assignment.ts';
import { Deployment } from '../support/deployment.ts';
import { freePorts } from '../support/ports.ts';
import { type KafkaCluster, startKafka } from '../support/servers/kafka.ts';
import {
  startVictoriaMetrics,
  startVmagent,
  type VictoriaMetrics,
  type Vmagent,
} from '../support/servers/victoriametrics.ts';
import { type DrainAccount, REQUEST_TIMEOUT_MS } from './causes.ts';
import { Gate } from './gate.ts';
import { Slot } from './slot.ts';
import { RAW_PARTITIONS, ROUTE } from './truth.ts';

/** A vmagent, the gate before it, and the one between it and storage. */
export interface ChaosNode {
  readonly name: string;
  readonly agent: Vmagent;
  readonly gate: Gate;
  readonly storageGate: Gate;
}

const NODES = ['vmagent-0', 'vmagent-1', 'vmagent-2'];
/** Drains and their nodes. */
const DRAINS = { 'drain-0a': 0, 'drain-0b': 0, 'drain-1': 1, 'drain-2': 2 } as const;
const WORKERS = ['worker-0', 'worker-1', 'worker-2', 'worker-3'];
/** Started when workers are scaled out. */
export const SPARE_WORKER = 'worker-3';

/** Ten times what it takes: a busy machine must not spoil a run. */
const START_TIMEOUT_MS = 180_000;

/** The whole deployment: three brokers, workers, drains, vmagents behind gates, and storage. All real processes. */
export class ChaosCluster {
  readonly kafka: KafkaCluster;
  readonly storage: VictoriaMetrics;
  readonly nodes: readonly ChaosNode[];
  readonly penstock: Deployment;
  readonly slots: ReadonlyMap<string, Slot>;
  readonly tasks: string;
  readonly #assignments: ReadonlyMap<string, NodeAssignment>;

  private constructor(
    kafka: KafkaCluster,
    storage: VictoriaMetrics,
    nodes: readonly ChaosNode[],
    penstock: Deployment,
    slots: ReadonlyMap<string, Slot>,
  ) {
    this.kafka = kafka;
    this.storage = storage;
    this.nodes = nodes;
    this.penstock = penstock;
    this.slots = slots;
    this.tasks = penstock.topic(ROUTE.name);
    const routes = [{ name: ROUTE.name, topic: this.tasks, count: ROUTE.task.count }];
    this.#assignments = new Map(
      NODES.map((node) => [node, new NodeAssignment(routes, NODES, node, 'balanced')]),
    );
  }

  static async start(): Promise<ChaosCluster> {
    const [kafka, storage] = await Promise.all([
      startKafka({ brokers: 3, own: true, name: 'chaos-kafka', startTimeoutMs: START_TIMEOUT_MS }),
      startVictoriaMetrics(),
    ]);
    const nodes = await Promise.all(NODES.map((name) => startNode(name, storage)));
    const penstock = await Deployment.create({
      brokers: kafka.brokers,
      rawPartitions: RAW_PARTITIONS,
      replicas: 3,
      routes: [ROUTE],
      nodes: nodes.map(({ name, gate }) => ({ name, url: gate.url })),
      drain: { request_timeout: `${REQUEST_TIMEOUT_MS}ms`, backoff_max: '2s' },
    });
    const slots = await createSlots(penstock.configFile);
    const cluster = new ChaosCluster(kafka, storage, nodes, penstock, slots);
    const first = [...slots.values()].filter(({ name }) => name !== SPARE_WORKER);
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

  /** The node that hash 2 gives a task to. */
  owner(task: number): ChaosNode {
    return this.nodes.find(({ name }) => this.#assignments.get(name)!.owns(this.tasks, task, Date.now()))!;
  }

  /** What the drains of a node have said and met so far. */
  drainsOf(node: string): DrainAccount[] {
    const slots = [...this.slots.values()].filter(({ name }) => name in DRAINS);
    return slots
      .filter(({ name }) => NODES[DRAINS[name as keyof typeof DRAINS]] === node)
      .map((slot) => slot.account());
  }

  /** Records that wait for workers, and for drains, also by node. */
  async lag(): Promise<{ workers: number; drains: number; nodes: number[] }> {
    const { penstock, tasks } = this;
    const [workers, ...drains] = await Promise.all([
      penstock.lag(penstock.group, penstock.raw),
      ...NODES.map((node) =>
        penstock.lag(drainGroupId(tasks, node), tasks, (task) => this.owner(task).name === node),
      ),
    ]);
    const nodes = drains.map(Number);
    return { workers: Number(workers), drains: nodes.reduce((sum, lag) => sum + lag, 0), nodes };
  }

  /** Whether every partition has all of its replicas in sync: only then another broker may go down. */
  async replicasInSync(): Promise<boolean> {
    const admin = await this.penstock.admin.client();
    const topics = [this.penstock.raw, this.tasks, '__consumer_offsets', '__transaction_state'];
    const metadata = await admin.fetchTopicMetadata({ topics });
    return metadata.topics.every(({ partitions }) =>
      partitions.every(({ isr, replicas }) => isr.length === replicas.length),
    );
  }

  /** Stops all workers, then all drains, when nothing is left to do. Resolves to what was not clean about it. */
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
    await Promise.allSettled([
      this.penstock.close(),
      ...this.nodes.map(({ agent }) => agent.close()),
      this.storage.close(),
    ]);
    await this.kafka.close();
  }
}

async function startNode(name: string, storage: VictoriaMetrics): Promise<ChaosNode> {
  const storageGate = await Gate.open(storage.remoteWriteUrl);
  const { pathname } = new URL(storage.remoteWriteUrl);
  const agent = await startVmagent({
    name,
    remoteWriteUrl: `${storageGate.url}${pathname}`,
    labels: { vmagent: name },
  });
  return { name, agent, gate: await Gate.open(agent.url), storageGate };
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
