/** Kafka ▸ Penstock ▸ a vmagent for each node ▸ VictoriaMetrics, all of them real. */

import { startKafka } from '../servers/kafka.ts';
import {
  startVictoriaMetrics,
  startVmagent,
  type VictoriaMetrics,
  type VmagentOptions,
} from '../servers/victoriametrics.ts';
import { Deployment, type DeploymentOptions } from './deployment.ts';

export interface MetricsStackOptions extends Omit<DeploymentOptions, 'brokers' | 'nodes'> {
  /** Names of the nodes. */
  readonly nodes: readonly string[];
  /** Options of a node's vmagent, except for its target. */
  readonly vmagent: (node: string) => Omit<VmagentOptions, 'remoteWriteUrl'>;
}

export interface MetricsStack {
  readonly storage: VictoriaMetrics;
  /** The test starts its processes. */
  readonly penstock: Deployment;
  close(): Promise<void>;
}

/** Starts the servers, and applies the topics of a deployment with the vmagents as nodes. */
export async function startMetricsStack(options: MetricsStackOptions): Promise<MetricsStack> {
  const { nodes, vmagent, ...deployment } = options;
  const [kafka, storage] = await Promise.all([startKafka(), startVictoriaMetrics()]);
  const { remoteWriteUrl } = storage;
  const agents = await Promise.all(nodes.map((node) => startVmagent({ remoteWriteUrl, ...vmagent(node) })));
  const penstock = await Deployment.create({
    ...deployment,
    brokers: kafka.brokers,
    nodes: nodes.map((name, index) => ({ name, url: agents[index]!.url })),
  });
  return {
    storage,
    penstock,
    async close() {
      await penstock.close();
      await Promise.allSettled([...agents, storage, kafka].map((server) => server.close()));
    },
  };
}
