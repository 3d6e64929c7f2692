/** Kafka ▸ Penstock ▸ a vmagent for each node ▸ VictoriaMetrics, all of them real. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createRunFolder, ROOT } from '../cache.ts';
import { type KafkaCluster, type KafkaOptions, startKafka } from '../servers/kafka.ts';
import {
  startVictoriaMetrics,
  startVmagent,
  type VictoriaMetrics,
  type Vmagent,
  type VmagentOptions,
} from '../servers/victoriametrics.ts';
import { Deployment, type DeploymentOptions } from './deployment.ts';

/** Path of deploy/streamaggr.yml with another interval. */
export function aggregationConfig(intervalMs: number): string {
  const shipped = readFileSync(path.join(ROOT, 'deploy/streamaggr.yml'), 'utf8');
  const file = path.join(createRunFolder('streamaggr'), 'streamaggr.yml');
  writeFileSync(file, shipped.replaceAll('30s', `${intervalMs / 1000}s`));
  return file;
}

/** Options of a vmagent; its target is storage unless it has one. */
type NodeOptions = Partial<VmagentOptions>;

export interface ServerOptions {
  readonly kafka?: KafkaOptions;
  /** Names of the nodes. */
  readonly nodes: readonly string[];
  readonly vmagent: (node: string, storage: VictoriaMetrics) => NodeOptions | Promise<NodeOptions>;
  /** Told of each server that is up, and after how many seconds. */
  readonly up?: (what: string, source: string, seconds: number) => void;
  /** Closes the servers; default: their own. */
  readonly closing?: AsyncDisposableStack;
}

export interface Servers {
  readonly kafka: KafkaCluster;
  readonly storage: VictoriaMetrics;
  /** In the order of the nodes. */
  readonly agents: readonly Vmagent[];
  close(): Promise<void>;
}

/** Starts the servers in parallel. When one fails, those started are closed. */
export async function startServers(options: ServerOptions): Promise<Servers> {
  const { nodes, vmagent, up = () => undefined, closing = new AsyncDisposableStack() } = options;
  const began = performance.now();
  const opened = async <T extends { source: string; close(): Promise<void> }>(
    what: string,
    start: Promise<T>,
  ) => {
    const server = await start;
    closing.defer(() => server.close().catch(() => undefined));
    up(what, server.source, (performance.now() - began) / 1000);
    return server;
  };
  const startStorage = async () => {
    const storage = await opened('VictoriaMetrics', startVictoriaMetrics());
    const { remoteWriteUrl } = storage;
    const start = async (name: string) =>
      await opened(name, startVmagent({ remoteWriteUrl, name, ...(await vmagent(name, storage)) }));
    return { storage, agents: await Promise.all(nodes.map(start)) };
  };
  const starting = [opened('Kafka', startKafka(options.kafka)), startStorage()] as const;
  const close = () => closing.disposeAsync();
  try {
    const [kafka, stored] = await Promise.all(starting);
    return { kafka, ...stored, close };
  } catch (error) {
    await Promise.allSettled(starting);
    await close();
    throw error;
  }
}

export type MetricsStackOptions = Omit<DeploymentOptions, 'brokers' | 'nodes' | 'kafka'> &
  Pick<ServerOptions, 'nodes' | 'vmagent'>;

export interface MetricsStack extends Servers {
  /** The test starts its processes. */
  readonly penstock: Deployment;
}

/** Starts the servers, and applies the topics of a deployment with the vmagents as nodes. */
export async function startMetricsStack(options: MetricsStackOptions): Promise<MetricsStack> {
  const { nodes, vmagent, ...deployment } = options;
  const servers = await startServers({ nodes, vmagent });
  const penstock = await Deployment.create({
    ...deployment,
    brokers: servers.kafka.brokers,
    nodes: nodes.map((name, index) => ({ name, url: servers.agents[index]!.url })),
  });
  return {
    ...servers,
    penstock,
    async close() {
      await penstock.close();
      await servers.close();
    },
  };
}
